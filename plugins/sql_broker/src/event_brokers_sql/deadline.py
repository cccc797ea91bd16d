"""Ends a session whose server does not answer any more."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, event


class Deadline:
    """Shuts the socket of a session down once an answer has taken too long.

    libpq waits for ever for the answer of a server that takes what it is sent, such as one that is
    frozen; the other drivers have a timeout of their own for that.

    Parameters:
        engine: makes the sessions, one at a time.
        seconds: that an answer may take.
    """

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._seconds = seconds
        self._session: Any = None
        if engine.driver == "psycopg":
            event.listen(engine, "connect", self._note)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Shut the socket down unless the block ends in time; the driver then raises its error."""
        timer = threading.Timer(self._seconds, self._shut_down)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _note(self, session: Any, _record: Any) -> None:
        self._session = session

    def _shut_down(self) -> None:
        if self._session is None or self._session.closed:
            return
        # a copy, for closing it must not close the driver's own
        with suppress(OSError), socket.socket(fileno=os.dup(self._session.fileno())) as copied:
            copied.shutdown(socket.SHUT_RDWR)
