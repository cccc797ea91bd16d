"""Sets a damaged file aside, and takes into a new one what can still be read."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from event_brokers.errors import SpoolError
from event_brokers.event import Event
from event_brokers.log import logger
from event_brokers.queues.protocol import DeadLetter
from event_brokers.queues.spool import opening, rows, schema, tables
from event_brokers.queues.spool.database import Damaged, Database, identity
from event_brokers.wording import system_reason

_UNREAD = ".unread"  # set aside, and not yet read to the end
_UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
_PAGE_BYTES = 4096
_SIZE_IN_PAGES = slice(28, 32)  # where the first page tells it: SQLite's file format, section 1.3


def replace(database: Database, damage: Damaged) -> None:
    """Set the damaged file aside, never delete it, and go on with what is readable in it.

    Parameters:
        database: closed here; opens the new file when it is used again.
        damage: what was found, and in which file.

    Raises:
        SpoolError: the file cannot be set aside.
    """
    if damage.file is not None and identity(database.path) != damage.file:
        return  # another process has found the damage first
    database.disconnect()
    aside = _new_name(database.folder)
    try:
        database.path.parent.rename(aside)
    except OSError as error:
        raise SpoolError(f"'{database.path}': {damage}; {system_reason(error)}") from error
    logger.error("'%s': %s; set aside as '%s'", database.path, damage, aside.stem)
    _read(database, aside)


def finish_interrupted(database: Database) -> None:
    """Read what was set aside by a process that ended before it could read it."""
    for aside in sorted(database.folder.glob(f"*{_UNREAD}")):
        _read(database, aside)


def is_under_way(folder: Path) -> bool:
    """Return whether a file has been set aside that is not read to the end.

    Parameters:
        folder: of the spool.
    """
    return any(folder.glob(f"*{_UNREAD}"))


def _new_name(folder: Path) -> Path:
    stem = f"damaged-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    names = (f"{stem}-{number}" for number in count(1))
    free = next(name for name in names if not list(folder.glob(f"{name}*")))
    return folder / f"{free}{_UNREAD}"


def _read(database: Database, aside: Path) -> None:
    with _opened(aside / database.path.name) as damaged, database.transaction() as connection:
        pending = sum(tables.insert(connection, [event]) for event in _events(damaged))
        letters = list(_dead_letters(damaged))
        for letter in letters:
            tables.insert(connection, [letter.event])
        tables.bury(connection, letters)
        tables.add_delivered(connection, _delivered(damaged))
        tables.add_places(connection, _texts(damaged, "SELECT place FROM places"))
        for owner in _texts(damaged, "SELECT owner FROM destinations"):
            tables.set_owner(connection, owner)
    aside.rename(aside.with_suffix(""))
    logger.error(
        "'%s': %d events and %d dead letters were salvaged; what could not be read stays in '%s'",
        database.folder, pending, len(letters), aside.stem,
    )  # fmt: skip


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a damaged file; with another first page, where its own says nothing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        with opening.alone():  # the first look at it is what opens it
            is_readable = _tells_its_tables(connection)
        if is_readable:
            yield connection
            return
    with TemporaryDirectory(dir=path.parent) as folder:
        copy = _readable_copy(path, Path(folder))
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            yield connection


def _tells_its_tables(damaged: sqlite3.Connection) -> bool:
    return all(
        _can_read(damaged, f"SELECT seq, {columns} FROM {table} LIMIT 0")
        for table, columns in (
            ("events", _columns(damaged, "events", rows.EVENT)),
            ("dead_letters", _columns(damaged, "dead_letters", rows.LETTER)),
        )
    )


def _readable_copy(path: Path, folder: Path) -> Path:
    """Return a copy with the first page of whatever version makes something readable."""
    for version in range(schema.VERSION, 0, -1):
        copy = _with_new_header(path, folder / str(version), version)
        with closing(sqlite3.connect(copy, isolation_level=None)) as connection:
            if any(chain(_events(connection), _dead_letters(connection))):
                return copy
    return copy


def _with_new_header(path: Path, folder: Path, version: int) -> Path:
    """Copy a file, and give the copy the first page of a new spool, which is always the same."""
    folder.mkdir()
    new, copy = folder / "new.db", folder / path.name
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        schema.prepare(connection, version)
    shutil.copy(path, copy)
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        shutil.copy(log, copy.with_name(log.name))
    page = bytearray(new.read_bytes()[:_PAGE_BYTES])
    page[_SIZE_IN_PAGES] = (copy.stat().st_size // _PAGE_BYTES).to_bytes(4, "big")
    with copy.open("r+b") as opened:
        opened.write(page)
    return copy


def _events(damaged: sqlite3.Connection) -> Iterator[Event]:
    for row in _rows(damaged, "events", rows.EVENT):
        with suppress(Damaged):
            yield rows.event_of(row)


def _dead_letters(damaged: sqlite3.Connection) -> Iterator[DeadLetter]:
    for row in _rows(damaged, "dead_letters", rows.LETTER):
        with suppress(Damaged):
            yield rows.letter_of(row)


def _rows(damaged: sqlite3.Connection, table: str, columns: str) -> Iterator[tuple[Any, ...]]:
    """Read what can be read in order: up to the damage, back to it from the end, and within it."""
    columns = _columns(damaged, table, columns)
    select = f"SELECT seq, {columns} FROM {table}"
    last = 0
    try:
        for seq, *row in damaged.execute(f"{select} ORDER BY seq"):
            yield tuple(row)
            last = seq
        return
    except _UNREADABLE:
        behind = _until_damage(damaged, f"{select} WHERE seq > {last} ORDER BY seq DESC")
    end = behind[-1][0] if behind else _highest(damaged, table) + 1
    for seq in range(last + 1, end):
        yield from _found(damaged, f"SELECT {columns} FROM {table} WHERE seq = {seq}")
    for _, *row in reversed(behind):
        yield tuple(row)


def _columns(damaged: sqlite3.Connection, table: str, columns: str) -> str:
    """Return the columns as they can be read, for version 1 had no headers."""
    if _can_read(damaged, f"SELECT headers FROM {table} LIMIT 0"):
        return columns
    return columns.replace("headers", "NULL")


def _until_damage(damaged: sqlite3.Connection, select: str) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    with suppress(*_UNREADABLE):
        for row in damaged.execute(select):
            found.append(row)  # noqa: PERF402 - what came before an error counts
    return found


def _can_read(damaged: sqlite3.Connection, select: str) -> bool:
    try:
        damaged.execute(select).fetchall()
    except _UNREADABLE:
        return False
    return True


def _found(damaged: sqlite3.Connection, select: str) -> list[tuple[Any, ...]]:
    try:
        return damaged.execute(select).fetchall()
    except _UNREADABLE:
        return []


def _highest(damaged: sqlite3.Connection, table: str) -> int:
    """Return the highest number of which anything tells, where the end of a table is damaged."""
    index = f"SELECT seq FROM {table} INDEXED BY sqlite_autoindex_{table}_1 ORDER BY event_id"
    known = [
        *_until_damage(damaged, index),
        *_until_damage(damaged, f"{index} DESC"),
        *_found(damaged, f"SELECT seq FROM sqlite_sequence WHERE name = '{table}'"),
    ]
    return max((seq for (seq,) in known if isinstance(seq, int)), default=0)


def _delivered(damaged: sqlite3.Connection) -> int:
    counts = [
        *_found(damaged, "SELECT delivered FROM destinations"),
        *_found(damaged, "SELECT delivered FROM totals"),
    ]
    return next((count for (count,) in counts if isinstance(count, int)), 0)


def _texts(damaged: sqlite3.Connection, select: str) -> list[str]:
    return [text for (text,) in _found(damaged, select) if isinstance(text, str)]
