"""Looks into the spool's file without changing it, and without waiting for whoever does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TypeVar

from event_brokers.queues.spool import schema
from event_brokers.queues.spool.database import Identity, identity, in_words
from event_brokers.queues.spool.inherited import leave_alone

_BUSY_SECONDS = 4.0  # for another process that repairs the log
_Found = TypeVar("_Found")


class NotReady(Exception):
    """The file is missing, or not of this version: who writes must open it first."""


class Reader:
    """A connection that only reads, and does not even tidy up when it is closed.

    Parameters:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: Identity | None = None

    def read(self, look: Callable[[sqlite3.Connection], _Found]) -> _Found:
        """Return what is found in the file as it is at one moment.

        Raises:
            NotReady: who writes must open the file first.
            SpoolError: it cannot be read.
            Damaged: it is corrupt.
        """
        with self._transaction() as connection:
            return look(connection)

    def snapshot(self) -> Snapshot:
        """Return the file as it is now, on a connection of its own.

        Raises:
            NotReady: who writes must open the file first.
            SpoolError: it cannot be read.
            Damaged: it is corrupt.
        """
        self._open()
        return Snapshot(self._path)

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        connection, self._connection, self._identity = self._connection, None, None
        if connection is not None:
            connection.close()

    def forget(self) -> None:
        """Let go, in a forked child, of what the fork has copied."""
        leave_alone(self._connection)
        self._connection = self._identity = None

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        if self._connection is None or identity(self._path) != self._identity:
            self._open()
        assert self._connection is not None
        with in_words(self._path, lambda: self._identity):
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _open(self) -> None:
        self.close()
        self._identity = identity(self._path)
        if self._identity is None:
            raise NotReady
        with in_words(self._path, lambda: self._identity):
            connection = _connect(self._path)
            try:
                if schema.version_of(connection) != schema.VERSION:
                    raise NotReady
            except BaseException:
                connection.close()
                raise
        self._connection = connection


class Snapshot:
    """The file as it is at one moment, read piece by piece.

    Parameters:
        path: the file.

    Raises:
        SpoolError: it cannot be read.
        Damaged: it is corrupt.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = identity(path)
        with in_words(path, lambda: self._identity):
            self.connection = _connect(path)
            self.connection.execute("BEGIN")
            schema.version_of(self.connection)  # the moment is that of the first look

    def take(self, rows: Iterator[_Found], count: int) -> list[_Found]:
        """Return the next rows, up to so many.

        Raises:
            SpoolError: they cannot be read.
            Damaged: the file is corrupt.
        """
        with in_words(self._path, lambda: self._identity):
            return list(islice(rows, count))

    def close(self) -> None:
        """Let go of the moment."""
        self.connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None,
        check_same_thread=False,
    )  # fmt: skip
