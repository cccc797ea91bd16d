"""Looks at a spool from outside: makes nothing, claims nothing and repairs nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from event_brokers import fork
from event_brokers.condition import Condition
from event_brokers.errors import SpoolError
from event_brokers.queues.protocol import Counts
from event_brokers.queues.spool import opening, right, salvage, schema
from event_brokers.queues.spool.database import (
    COMMIT_LOCK,
    DATABASE,
    FAILURES,
    Damaged,
    in_words,
    size_of,
)
from event_brokers.queues.spool.file_lock import is_locked
from event_brokers.queues.spool.own_files import refuse_unsafe, refuse_unsafe_folder
from event_brokers.queues.spool.tables import counts
from event_brokers.wording import system_reason

_BUSY_SECONDS = 1.0
_TRIES = 3  # the file changes its kind where the last program that has it open closes it
# what is said of each file is the name, the size and when it was changed; None where it is missing
_State = tuple[tuple[int, int, int] | None, ...]


class View(msgspec.Struct, frozen=True):
    """What was seen of a spool.

    Attributes:
        counts: of its events.
        condition: how delivery goes; None where nobody has said it.
        size: bytes that it takes on the disk.
        is_attended: whether a process is there that delivers.
    """

    counts: Counts
    condition: Condition | None
    size: int
    is_attended: bool


def view(folder: Path) -> View | None:
    """Look at a spool; return None where none was made yet.

    Parameters:
        folder: of the spool.

    Raises:
        SpoolError: it cannot be read as it stands there.
    """
    try:
        with fork.held_off(), opening.alone():
            return _view(folder) if _is_made(folder) else None
    except OSError as error:
        raise SpoolError(f"'{folder}': {system_reason(error)}") from error


def _is_made(folder: Path) -> bool:
    if _stamp(folder) is None:
        return False
    refuse_unsafe_folder(folder)
    if salvage.is_under_way(folder):
        raise SpoolError(
            f"'{folder}': a damaged file was set aside; the next program that publishes reads it"
        )
    if _stamp(folder / DATABASE) is not None:
        return True
    if _stamp(folder / COMMIT_LOCK) is None:
        return False  # a folder that was made for a spool
    raise SpoolError(f"'{folder / DATABASE}': is missing; the next program that publishes makes it")


def _view(folder: Path) -> View:
    database, lock = folder / DATABASE, folder / right.LOCK
    refuse_unsafe(database.parent)
    for file in _files(database):
        refuse_unsafe(file)
    found = _counts(database)
    size = sum(size_of(file) for file in _files(database)[:2])
    return View(found, right.told(lock), size, is_locked(lock))


def _counts(database: Path) -> Counts:
    for _ in range(_TRIES):
        before = _state(database)
        try:
            found = _read(database, before)
        except SpoolError:
            if _state(database) == before:
                raise
        else:
            # SQLite itself keeps apart from those who write where there is an index
            if before[2] is not None or _state(database) == before:
                return found
    raise SpoolError(f"'{database}': changed while it was looked at; look again")


def _read(database: Path, state: _State) -> Counts:
    try:
        with _opened(f"{database.as_uri()}?{_way(database, state)}") as connection:
            if schema.is_new(connection):
                return Counts(0, 0, 0, 0, None)
            schema.refuse_unsuitable(connection)
            if schema.version_of(connection) != schema.VERSION:
                raise SpoolError(
                    f"'{database}': was written by an older event-brokers; the next program that "
                    "publishes brings it up to date"
                )
            connection.execute("BEGIN")
            return counts(connection)
    except FAILURES as error:
        failure = in_words(database, None, error)
        if not isinstance(failure, Damaged):
            raise failure from error
        text = f"'{database}': {failure}; the next program that publishes repairs it"
        raise SpoolError(text) from error


def _way(database: Path, state: _State) -> str:
    """Return how SQLite is to open the file so that it makes no other one beside it."""
    _, log, index = state
    if log is not None and index is not None:
        return "mode=ro&readonly_shm=1"
    if log is None or not log[1]:
        return "mode=ro&immutable=1"  # nobody has it open, and all of it stands in the file
    raise SpoolError(
        f"'{database}': was not closed, and its log has no index; the next program that publishes "
        "reads it"
    )


@contextmanager
def _opened(address: str) -> Iterator[sqlite3.Connection]:
    with closing(
        sqlite3.connect(address, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    ) as connection:
        yield connection


def _state(database: Path) -> _State:
    return tuple(map(_stamp, _files(database)))


def _files(database: Path) -> tuple[Path, Path, Path]:
    """Return the file, its log, and the log's index."""
    name = database.name
    return database, database.with_name(f"{name}-wal"), database.with_name(f"{name}-shm")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
