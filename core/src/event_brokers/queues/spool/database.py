"""The SQLite file of a spool: opening it, what may go wrong with it, and changing it."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from types import TracebackType

from event_brokers.errors import SpoolError
from event_brokers.log import logger
from event_brokers.queues.spool import opening, schema
from event_brokers.queues.spool.file_lock import FileLock
from event_brokers.queues.spool.inherited import leave_alone
from event_brokers.queues.spool.own_files import make_folder, open_own, refuse_unsafe
from event_brokers.wording import system_reason

BALLAST = "ballast"
COMMIT_LOCK = "commit.lock"
DATABASE = "data/events.db"  # a folder of its own, so that the file moves together with its log
_BUSY_SECONDS = 4.0  # for programs that are not ours and hold the file without our lock
_LEAST_ROOM_BYTES = 128 * 1024
_LOG_BYTES = 4 * 1024 * 1024
_DAMAGE = (
    "malformed", "not a database", "disk image", "decode to UTF-8",
    "no such column", "no such table", "no column named",
)  # fmt: skip
_CODES = {"power": "FULL", "process": "NORMAL"}

Identity = tuple[int, int]


class Damaged(Exception):
    """The file cannot be read as it should be.

    Parameters:
        words: a clause that says why.
        file: which file that is, for another one may stand in its place by now.
    """

    def __init__(self, words: str, file: Identity | None = None) -> None:
        super().__init__(words)
        self.file = file


class DiskFull(SpoolError):
    """The disk has no room for the change."""


FAILURES = (sqlite3.Error, OSError, UnicodeDecodeError, Damaged, schema.Unsuitable)


class Database:
    """Opens the file for writing when it is first needed, and again when it was replaced.

    SQLite before 3.51.3 can lose what was committed when several connections checkpoint at once
    (its "WAL-reset bug"), so every commit, checkpoint and closing is done under a lock of ours.
    All of it is done on one thread, which holds the lock.

    Parameters:
        path: the file; never opened but by SQLite, for closing it would drop SQLite's own locks.
        durability: "power": a commit is on the disk; "process": it is with the kernel.

    Attributes:
        lock: keeps all other processes from writing.
        log: the write-ahead log beside the file.
        size: of the file in bytes, as a transaction found it.
    """

    def __init__(self, path: Path, durability: str) -> None:
        self.path = path
        self.folder = path.parent.parent
        self.lock = FileLock(self.folder / COMMIT_LOCK)
        self.log = path.with_name(f"{path.name}-wal")
        self._synchronous = _CODES[durability]
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None
        self.size = 0

    def transaction(self) -> Transaction:
        """Change the file: all that is done inside of this context, or nothing.

        Raises:
            SpoolError: it cannot be written; if that came about in the commit, nobody knows
                whether the change was made.
            Damaged: the file is corrupt.
        """
        return Transaction(self)

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, and give its room back to the disk.

        Raises:
            SpoolError: it cannot be written.
            Damaged: the file is corrupt.
        """
        try:
            self.open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        except FAILURES as error:
            raise self.in_words(error) from error

    def cut_off(self, pages: int) -> None:
        """Cut free pages off the file, up to so many.

        Raises:
            SpoolError: it cannot be written.
            Damaged: the file is corrupt.
        """
        try:
            # `execute` would cut off one, for it ends with the first row, which has no columns
            self.open().executescript(f"PRAGMA incremental_vacuum({pages})")
        except FAILURES as error:
            raise self.in_words(error) from error

    def disconnect(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Release everything, the lock too; the next use opens it again."""
        if self._connection is not None:
            with self.lock:
                self.disconnect()  # which may checkpoint, and may delete the log
        self.lock.close()

    def forget(self) -> None:
        """Let go, in a forked child, of what the fork has copied."""
        leave_alone(self._connection)
        self._connection = self._identity = None
        self.lock.close()

    def log_size(self) -> int:
        """Return the size of the write-ahead log in bytes."""
        return size_of(self.log)

    def open(self) -> sqlite3.Connection:
        """Return the connection; opens the file where that is needed, and makes it."""
        found = _look(self.path)
        if found is not None and identity_of(found) == self._identity:
            self.size = found.st_size
            return _opened(self._connection)
        if self._identity is not None and found is None:
            logger.warning("'%s': was removed while it was in use; begun anew", self.path)
        self.disconnect()
        self.lock.follow()  # the whole folder may have been moved
        _make(self.path)
        with opening.alone():
            connection = self._connect()
        self._connection, self._identity = connection, identity(self.path)
        self.size = size_of(self.path)
        return connection

    def in_words(self, error: Exception) -> Exception:
        """Return the error to raise for one of FAILURES."""
        return in_words(self.path, self._identity, error)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            # else SQLite may put what it needs to undo a statement into a folder of the system
            connection.execute("PRAGMA temp_store = MEMORY")
            schema.prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class Transaction:
    """Lasts from BEGIN to COMMIT; a class, for it is entered for every event.

    Parameters:
        database: whose file is changed.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._database.open()
            self._connection.execute("BEGIN IMMEDIATE")
        except FAILURES as error:
            raise self._database.in_words(error) from error
        return self._connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            try:
                if error is None:
                    self._connection.execute("COMMIT")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
        except FAILURES as failure:
            raise self._database.in_words(failure) from failure
        if isinstance(error, FAILURES):
            raise self._database.in_words(error) from error


def in_words(path: Path, file: Identity | None, error: Exception) -> Exception:
    """Return the error to raise for one of FAILURES: a sentence, or that the file is damaged.

    Parameters:
        path: where the spool's file stands.
        file: which file that is.
        error: that came about.
    """
    if isinstance(error, Damaged):
        return Damaged(str(error), error.file or file)
    if isinstance(error, UnicodeDecodeError):
        # SQLite quotes in its error what stands where a name should be
        return Damaged("the names of its tables cannot be read", file)
    if isinstance(error, OSError):
        return SpoolError(f"'{path}': {system_reason(error)}")
    # Python 3.10 gives no codes, only SQLite's English text, and none that it cannot decode
    text = str(error)
    if isinstance(error, schema.Unsuitable):
        return SpoolError(f"'{path}': {text}")
    if not text or any(words in text for words in _DAMAGE):
        return Damaged(text.partition(" column ")[0], file)
    if "is full" in text or ("disk I/O error" in text and _has_no_room(path.parent)):
        return DiskFull(f"'{path.parent.parent}': the disk is full")
    return SpoolError(f"'{path}': {text}")


def identity(path: Path) -> Identity | None:
    """Return which file stands in a place; None where none does."""
    found = _look(path)
    return None if found is None else identity_of(found)


def identity_of(found: os.stat_result) -> Identity:
    """Return which file was found."""
    return found.st_dev, found.st_ino


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 where there is none."""
    found = _look(path)
    return 0 if found is None else found.st_size


def _has_no_room(folder: Path) -> bool:
    # SQLite says no more than that where it cannot make the files beside its own
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize < _LEAST_ROOM_BYTES


def _look(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    assert connection is not None, "has an identity"
    return connection


def _make(path: Path) -> None:
    """Make the file for its owner alone; SQLite gives its log the same rights."""
    make_folder(path.parent.parent)
    refuse_unsafe(path.parent)
    make_folder(path.parent)
    beside = (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm"))
    for other in (*beside, path.parent.parent / BALLAST):
        refuse_unsafe(other)
    try:
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return
    os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
