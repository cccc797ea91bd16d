"""Ends sessions whose server does not answer any more, at both ends."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Connection, Engine, event, text

# sessions of PostgreSQL whose calls failed: (process id, start), until a later one ends them
_given_up: set[tuple[int, str]] = set()

_WHO = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = :pid AND backend_start::text = :start"
)


class Deadline:
    """Shuts the socket of a PostgreSQL session down once an answer has taken too long.

    libpq waits for ever for the answer of a server that takes what it is sent, such as one that is
    frozen; the other drivers have a timeout of their own for that.

    Parameters:
        engine: makes the sessions, one at a time.
        seconds: that an answer may take.

    Attributes:
        has_passed: whether the latest call was ended.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._seconds = seconds
        self._session: Any = None
        self._identity: tuple[int, str] | None = None
        self.has_passed = False
        self._is_needed = engine.driver == "psycopg"
        if self._is_needed:
            event.listen(engine, "connect", self._note)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Shut the socket down unless the block ends in time; the driver then raises its error."""
        if not self._is_needed:
            yield
            return
        self.has_passed = False
        timer = threading.Timer(self._seconds, self._shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def give_up(self) -> None:
        """Let the next session end this one, if the server still has it."""
        if self._identity is not None:
            _given_up.add(self._identity)

    def _note(self, session: Any, _record: Any) -> None:
        self._session, self._identity = session, session.execute(_WHO).fetchone()
        session.rollback()

    def _shut_down(self) -> None:
        if self._session is None or self._session.closed:
            return
        self.has_passed = True
        # a copy, for closing it must not close the driver's own
        with suppress(OSError), socket.socket(fileno=os.dup(self._session.fileno())) as copied:
            copied.shutdown(socket.SHUT_RDWR)


def end_given_up(connection: Connection) -> None:
    """End the sessions that were given up, for they may hold locks that nobody else can free.

    Where the network failed amid a message, PostgreSQL waits for the rest of it, and none of its
    timeouts counts there.
    """
    if connection.dialect.driver != "psycopg":
        return
    for pid, start in tuple(_given_up):
        connection.execute(_END, {"pid": pid, "start": start})
        _given_up.discard((pid, start))
