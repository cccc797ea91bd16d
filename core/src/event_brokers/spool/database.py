"""The SQLite file of a spool: one transaction at a time, among threads and among processes."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from event_brokers.errors import SpoolError
from event_brokers.spool import schema
from event_brokers.spool.file_lock import FileLock

logger = logging.getLogger("event_brokers")

DATA = "data"  # a folder of its own, so that the file moves together with its log
_BUSY_SECONDS = 10.0  # for programs that are not ours and hold the file without our lock
_LOG_BYTES = 4 * 1024 * 1024
_DAMAGE = ("malformed", "not a database", "disk image", "decode to UTF-8")
_CODES = {"power": "FULL", "process": "NORMAL"}


class Damaged(Exception):
    """The file cannot be read as it should be."""


class DiskFull(SpoolError):
    """The disk has no room for the change."""


class Database:
    """Opens the file when it is first needed, and again after a fork or when it was replaced.

    SQLite before 3.51.3 can lose what was committed when several connections checkpoint at once
    (its "WAL-reset bug"), so every commit, checkpoint and closing is done under a lock of ours.

    Parameters:
        path: the file; never opened but by SQLite, for closing it would drop SQLite's own locks.
        durability: "power": a commit is on the disk; "process": it is with the kernel.
    """

    def __init__(self, path: Path, durability: str) -> None:
        self.path = path
        self.folder = path.parent.parent
        self._log = path.with_name(f"{path.name}-wal")
        self.turn = threading.RLock()  # held by the thread that writes
        self._synchronous = _CODES[durability]
        self._between_processes = FileLock(self.folder / "commit.lock")
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._depth = 0  # how often the thread that writes has entered `exclusive`
        self._identity: tuple[int, int] | None = None

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep all other threads and processes from writing; may be entered again inside.

        Raises:
            SpoolError: the lock's file cannot be made.
        """
        with self.turn:
            self._lock()
            try:
                yield
            finally:
                self._unlock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Change the file: all that is done inside, or nothing.

        Raises:
            SpoolError: it cannot be written; if that came about in the commit, nobody knows
                whether the change was made.
            Damaged: the file is corrupt.
        """
        with self.exclusive(), self._in_words():
            self._open()
            connection = _opened(self._writer)
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read the file as it is at one moment, without waiting for those that write.

        Raises:
            SpoolError: it cannot be read.
            Damaged: the file is corrupt.
        """
        with self._in_words(), self._reader_held():
            connection = _opened(self._reader)
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                _roll_back(connection)

    def checkpoint(self) -> None:
        """Bring the write-ahead log into the file, and give its room back to the disk.

        Raises:
            SpoolError: it cannot be written.
            Damaged: the file is corrupt.
        """
        with self.exclusive(), self._in_words():
            self._open()
            _opened(self._writer).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def close(self) -> None:
        """Release everything; the next use opens it again."""
        with self.turn:
            if self._writer is not None:
                self.disconnect()
            self._between_processes.close()

    def disconnect(self) -> None:
        """Close the connections; the next use opens them again."""
        # closing may checkpoint, and may delete the log
        with self.exclusive(), self._reading:
            for connection in (self._reader, self._writer):
                if connection is not None:
                    connection.close()
            self._reader = self._writer = self._identity = None

    def forget(self) -> None:
        """Let go of the lock's file that a fork has copied; no connection is open then."""
        self._between_processes.close()

    def is_replaced(self) -> bool:
        """Return whether something else, or nothing, stands where the open file stood."""
        return self._identity is not None and _identity(self.path) != self._identity

    def bytes_on_disk(self) -> int:
        """Return the size of the file and of its log."""
        return self.path.stat().st_size + self._log.stat().st_size

    @contextmanager
    def _reader_held(self) -> Iterator[None]:
        # the lock on writing always comes before the lock on reading
        while True:
            self._open_if_needed()
            with self._reading:
                if self._reader is not None:
                    yield
                    return

    def _open_if_needed(self) -> None:
        if self._reader is None or self.is_replaced():
            with self.exclusive():
                self._open()

    def _open(self) -> None:
        if self._writer is not None and not self.is_replaced():
            return
        if self._identity is not None and _identity(self.path) is None:
            logger.warning("'%s': was removed while it was in use; begun anew", self.path)
        self.disconnect()
        _make(self.path)
        writer = self._connect()
        try:
            schema.prepare(writer)
            self._reader = self._connect()
        except BaseException:
            writer.close()
            raise
        self._writer, self._identity = writer, _identity(self.path)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _lock(self) -> None:
        if self._depth == 0:
            try:
                self._between_processes.acquire()
            except OSError as error:
                raise SpoolError(f"'{self.folder}': {reason(error)}") from error
        self._depth += 1

    def _unlock(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._between_processes.release()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except UnicodeDecodeError as error:
            # SQLite quotes in its error what stands where a name should be
            raise Damaged("the names of its tables cannot be read") from error
        except sqlite3.Error as error:
            raise _worded(self.path, error) from error
        except OSError as error:
            raise SpoolError(f"'{self.path}': {reason(error)}") from error
        except schema.Unsuitable as unsuitable:
            raise SpoolError(f"'{self.path}': {unsuitable}") from None


def reason(error: OSError) -> str:
    """Return what the operating system says, as a clause."""
    return (error.strerror or "cannot be used").lower()


def _worded(path: Path, error: sqlite3.Error) -> Exception:
    # Python 3.10 gives no codes, only SQLite's English text, and none that it cannot decode
    text = str(error)
    if not text or any(words in text for words in _DAMAGE):
        return Damaged(text.partition(" column ")[0])
    if "is full" in text:
        return DiskFull(f"'{path.parent.parent}': the disk is full")
    return SpoolError(f"'{path}': {text}")


def _make(path: Path) -> None:
    """Make the file for its owner alone; SQLite gives its log the same rights."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        connection.execute("ROLLBACK")


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    assert connection is not None, "opened by the caller"
    return connection


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
