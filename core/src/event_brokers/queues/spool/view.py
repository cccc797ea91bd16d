"""Looks at a spool from outside: makes nothing, claims nothing and repairs nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec

from event_brokers import fork
from event_brokers.condition import Condition
from event_brokers.errors import SpoolError
from event_brokers.event import Event
from event_brokers.queues.protocol import Counts, DeadLetter, NotMade
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
from event_brokers.queues.spool.tables import counts, dead_letters_behind, find, latest
from event_brokers.wording import system_reason

_BUSY_SECONDS = 1.0
_TRIES = 3  # the file changes its kind where the last program that has it open closes it
_PIECE = 500  # dead letters: a fork and whoever opens the file wait for no more
# what is said of each file is the name, the size and when it was changed; None where it is missing
_State = tuple[tuple[int, int, int] | None, ...]
_Found = TypeVar("_Found")


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


class ReadOnlySpool:
    """The events of a spool as they are read from outside.

    Whatever is asked raises NotMade where nothing was published into it yet, and SpoolError where
    it cannot be read as it stands there.

    Parameters:
        folder: of the spool.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def dead_letters(self) -> Iterator[DeadLetter]:
        """Read every dead letter, oldest first, a piece at a time: each as it is at one moment."""
        number = 0
        while piece := self._read(partial(dead_letters_behind, number=number, limit=_PIECE)):
            yield from (letter for _, letter in piece)
            number = piece[-1][0]

    def latest(self, limit: int) -> list[Event]:
        """Return the last of the pending events, the latest first.

        Parameters:
            limit: how many at most.
        """
        return self._read(partial(latest, limit=limit))

    def find(self, event_id: str) -> Event | DeadLetter | None:
        """Return a pending event or a dead letter; None where neither is kept under this id."""
        return self._read(partial(find, event_id=event_id))

    def _read(self, look: Callable[[sqlite3.Connection], _Found]) -> _Found:
        return _looked(self._folder, lambda folder: _read_file(folder, look))


def view(folder: Path) -> View | None:
    """Look at a spool; return None where none was made yet.

    Parameters:
        folder: of the spool.

    Raises:
        SpoolError: it cannot be read as it stands there.
    """
    try:
        return _looked(folder, _view)
    except NotMade:
        return None


def _looked(folder: Path, look: Callable[[Path], _Found]) -> _Found:
    """Return what is found while no fork and no other opening comes between."""
    try:
        with fork.held_off(), opening.alone():
            _refuse_unready(folder)
            return look(folder)
    except OSError as error:
        raise SpoolError(f"'{folder}': {system_reason(error)}") from error


def _refuse_unready(folder: Path) -> None:
    if _stamp(folder) is None:
        raise NotMade(folder)
    refuse_unsafe_folder(folder)
    if salvage.is_under_way(folder):
        raise SpoolError(
            f"'{folder}': a damaged file was set aside; the next program that publishes reads it"
        )
    database = folder / DATABASE
    if _stamp(database) is not None:
        refuse_unsafe(database.parent)
        for file in _files(database):
            refuse_unsafe(file)
    elif _stamp(folder / COMMIT_LOCK) is None:
        raise NotMade(folder)  # a folder that was made for a spool
    else:
        raise SpoolError(f"'{database}': is missing; the next program that publishes makes it")


def _view(folder: Path) -> View:
    try:
        found = _read_file(folder, counts)
    except NotMade:  # somebody is about to
        found = Counts(0, 0, 0, 0, None)
    database, lock = folder / DATABASE, folder / right.LOCK
    size = sum(size_of(file) for file in _files(database)[:2])
    return View(found, right.told(lock), size, is_locked(lock))


def _read_file(folder: Path, look: Callable[[sqlite3.Connection], _Found]) -> _Found:
    database = folder / DATABASE
    for _ in range(_TRIES):
        before = _state(database)
        try:
            found = _read_once(folder, before, look)
        except SpoolError:
            if _state(database) == before:
                raise
        else:
            # SQLite itself keeps apart from those who write where there is an index
            if before[2] is not None or _state(database) == before:
                return found
    raise SpoolError(f"'{database}': changed while it was looked at; look again")


def _read_once(folder: Path, state: _State, look: Callable[[sqlite3.Connection], _Found]) -> _Found:
    database = folder / DATABASE
    try:
        with _opened(f"{database.as_uri()}?{_way(database, state)}") as connection:
            if schema.is_new(connection):
                raise NotMade(folder)
            schema.refuse_unsuitable(connection)
            if schema.version_of(connection) != schema.VERSION:
                raise SpoolError(
                    f"'{database}': was written by an older event-brokers; the next program that "
                    "publishes brings it up to date"
                )
            connection.execute("BEGIN")
            return look(connection)
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
