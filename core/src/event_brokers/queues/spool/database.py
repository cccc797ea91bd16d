"""The SQLite file of a spool: opening it, what may go wrong with it, and changing it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from event_brokers.errors import SpoolError
from event_brokers.log import logger
from event_brokers.queues.spool import schema
from event_brokers.queues.spool.file_lock import FileLock
from event_brokers.queues.spool.inherited import leave_alone
from event_brokers.queues.spool.own_files import make_folder, open_own, refuse_unsafe
from event_brokers.wording import system_reason

DATA = "data"  # a folder of its own, so that the file moves together with its log
_BUSY_SECONDS = 4.0  # for programs that are not ours and hold the file without our lock
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


class Database:
    """Opens the file for writing when it is first needed, and again when it was replaced.

    SQLite before 3.51.3 can lose what was committed when several connections checkpoint at once
    (its "WAL-reset bug"), so every commit, checkpoint and closing is done under a lock of ours.
    All of it is done on one thread.

    Parameters:
        path: the file; never opened but by SQLite, for closing it would drop SQLite's own locks.
        durability: "power": a commit is on the disk; "process": it is with the kernel.
    """

    def __init__(self, path: Path, durability: str) -> None:
        self.path = path
        self.folder = path.parent.parent
        self.lock = FileLock(self.folder / "commit.lock")
        self._log = path.with_name(f"{path.name}-wal")
        self._synchronous = _CODES[durability]
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep all other processes from writing; all the methods below are called inside.

        Raises:
            SpoolError: the lock's file cannot be used.
        """
        with self._in_words(), self.lock.held():
            yield

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change the file: all that is done inside, or nothing.

        Raises:
            SpoolError: it cannot be written; if that came about in the commit, nobody knows
                whether the change was made.
            Damaged: the file is corrupt.
        """
        with self._in_words():
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, and give its room back to the disk.

        Raises:
            SpoolError: it cannot be written.
            Damaged: the file is corrupt.
        """
        with self._in_words():
            self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def cut_off(self, pages: int) -> None:
        """Cut free pages off the file, up to so many.

        Raises:
            SpoolError: it cannot be written.
            Damaged: the file is corrupt.
        """
        with self._in_words():
            # `execute` would cut off one, for it ends with the first row, which has no columns
            self._open().executescript(f"PRAGMA incremental_vacuum({pages})")

    def disconnect(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Release everything; the next use opens it again; called outside of `exclusive`."""
        if self._connection is not None:
            with self.exclusive():
                self.disconnect()  # which may checkpoint, and may delete the log
        self.lock.close()

    def forget(self) -> None:
        """Let go, in a forked child, of what the fork has copied."""
        leave_alone(self._connection)
        self._connection = self._identity = None
        self.lock.close()

    def is_replaced(self) -> bool:
        """Return whether something else, or nothing, stands where the open file stood."""
        return self._identity is not None and identity(self.path) != self._identity

    def bytes_on_disk(self) -> int:
        """Return the size of the file and of its log."""
        return _size(self.path) + _size(self._log)

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None and not self.is_replaced():
            return self._connection
        if self._identity is not None and identity(self.path) is None:
            logger.warning("'%s': was removed while it was in use; begun anew", self.path)
        self.disconnect()
        _make(self.path)
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
            schema.prepare(connection)
        except BaseException:
            connection.close()
            raise
        self._connection, self._identity = connection, identity(self.path)
        return connection

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        with in_words(self.path, lambda: self._identity):
            yield


@contextmanager
def in_words(path: Path, open_file: Callable[[], Identity | None]) -> Iterator[None]:
    """Raise what goes wrong with a spool's file as a sentence.

    Parameters:
        path: where it stands.
        open_file: says which file is open, for damage that is found in it.
    """
    try:
        yield
    except Damaged as damage:
        damage.file = damage.file or open_file()
        raise
    except UnicodeDecodeError as error:
        # SQLite quotes in its error what stands where a name should be
        raise Damaged("the names of its tables cannot be read", open_file()) from error
    except sqlite3.Error as error:
        raise _worded(path, open_file(), error) from error
    except OSError as error:
        raise SpoolError(f"'{path}': {system_reason(error)}") from error
    except schema.Unsuitable as unsuitable:
        raise SpoolError(f"'{path}': {unsuitable}") from None


def identity(path: Path) -> Identity | None:
    """Return which file stands in a place; None where none does."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _worded(path: Path, file: Identity | None, error: sqlite3.Error) -> Exception:
    # Python 3.10 gives no codes, only SQLite's English text, and none that it cannot decode
    text = str(error)
    if not text or any(words in text for words in _DAMAGE):
        return Damaged(text.partition(" column ")[0], file)
    if "is full" in text:
        return DiskFull(f"'{path.parent.parent}': the disk is full")
    return SpoolError(f"'{path}': {text}")


def _make(path: Path) -> None:
    """Make the file for its owner alone; SQLite gives its log the same rights."""
    make_folder(path.parent.parent)
    refuse_unsafe(path.parent)
    make_folder(path.parent)
    for beside in (f"{path.name}-wal", f"{path.name}-shm"):
        refuse_unsafe(path.with_name(beside))
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


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
