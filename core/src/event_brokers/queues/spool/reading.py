"""Looks into the spool's file without changing it, and without waiting for whoever does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from event_brokers.queues.spool import opening, salvage, schema
from event_brokers.queues.spool.database import FAILURES, Identity, identity, in_words
from event_brokers.queues.spool.inherited import leave_alone

_BUSY_SECONDS = 4.0  # for another process that repairs the log
_Found = TypeVar("_Found")


class NotReady(Exception):
    """The file is missing, not of this version, or not repaired: who writes must open it first."""


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
        connection = self._connected()
        try:
            connection.execute("BEGIN")
            try:
                return look(connection)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except FAILURES as error:
            raise in_words(self._path, self._identity, error) from error

    def snapshot(self) -> Snapshot:
        """Return the file as it is now, on a connection of its own.

        Raises:
            NotReady: who writes must open the file first.
            SpoolError: it cannot be read.
            Damaged: it is corrupt.
        """
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

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None or identity(self._path) != self._identity:
            self.close()
            self._identity = identity(self._path)
            self._connection = _connect(self._path, self._identity)
        return self._connection


class Snapshot:
    """The file as it is at one moment, read piece by piece.

    Parameters:
        path: the file.

    Raises:
        NotReady: who writes must open the file first.
        SpoolError: it cannot be read.
        Damaged: it is corrupt.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._identity = identity(path)
        self.connection = _connect(path, self._identity)
        self.connection.execute("BEGIN")
        schema.version_of(self.connection)  # the moment is that of the first look

    def take(self, rows: Iterator[_Found], count: int) -> list[_Found]:
        """Return the next rows, up to so many.

        Raises:
            SpoolError: they cannot be read.
            Damaged: the file is corrupt.
        """
        try:
            return list(islice(rows, count))
        except FAILURES as error:
            raise in_words(self._path, self._identity, error) from error

    def close(self) -> None:
        """Let go of the moment."""
        self.connection.close()


def _connect(path: Path, file: Identity | None) -> sqlite3.Connection:
    if file is None:
        raise NotReady
    with opening.alone():
        return _connect_alone(path, file)


def _connect_alone(path: Path, file: Identity) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(
            f"{path.as_uri()}?mode=ro", uri=True, timeout=_BUSY_SECONDS, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
        try:
            if schema.version_of(connection) != schema.VERSION:
                raise NotReady
            # asked once the file is open: a new one is empty until the damaged one has been read
            if salvage.is_under_way(path.parent.parent):
                raise NotReady
        except BaseException:
            connection.close()
            raise
    except FAILURES as error:
        raise in_words(path, file, error) from error
    return connection
