"""Ends sessions whose server does not answer any more, at both ends."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from event_brokers_sql.failures import NoAnswer

_IDENTITY = "identity"
_IS_NEW = "is new"
_WHO = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = %s AND backend_start::text = %s"
)

# server -> its PostgreSQL sessions that were given up: (process id, start)
_given_up: defaultdict[str, set[tuple[int, str]]] = defaultdict(set)


class Call:
    """One use of a session, which must be over in time.

    Parameters:
        seconds: that it may take.
    """

    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds
        self._lock = threading.Lock()
        self._session: Any = None
        self.identity: tuple[int, str] | None = None

    @property
    def is_late(self) -> bool:
        """Whether its time is over."""
        return time.monotonic() >= self._ends_at

    @property
    def has_session(self) -> bool:
        """Whether it has come so far as to have a session."""
        return self._session is not None

    @property
    def has_lost_session(self) -> bool:
        """Whether its session can be used no more."""
        return self.has_session and bool(self._session.closed)

    def hold(self, session: Any, identity: tuple[int, str] | None) -> None:
        """Note which session it uses.

        Parameters:
            session: of the driver.
            identity: of the server's process; None where it is not PostgreSQL's.
        """
        with self._lock:
            self._session, self.identity = session, identity

    def let_go(self) -> None:
        """Forget the session, which others may use from now on."""
        with self._lock:
            self._session = None

    def shut_down(self) -> None:
        """Shut down the socket of the session; the driver then raises its error."""
        with self._lock:
            if self._session is None or self._session.closed:
                return
            # a copy, for closing it must not close the driver's own
            copy = os.dup(self._session.fileno())
            with suppress(OSError), socket.socket(fileno=copy) as copied:
                copied.shutdown(socket.SHUT_RDWR)


class Deadline:
    """Lets no call of an engine's sessions last longer than it may.

    libpq waits for ever for the answer of a server that takes what it is sent, such as one that is
    frozen: its socket is shut down. The other drivers have a timeout of their own for that.

    Parameters:
        engine: makes the sessions; any number of threads may use one each.
        server: where they are, in words.
        seconds: that a call may take.
    """

    def __init__(self, engine: Engine, server: str, seconds: float) -> None:
        self._dialect = engine.dialect
        self._server = server
        self._seconds = seconds
        self._calls = threading.local()
        self._is_psycopg = engine.driver == "psycopg"
        # before SQLAlchemy's own listener, which asks the server for its version
        event.listen(engine, "connect", self._begin_session, insert=True)
        event.listen(engine, "checkout", self._take_session)

    @contextmanager
    def with_deadline(self) -> Iterator[Call]:
        """End what this thread does with a session unless the block ends in time."""
        self._calls.current = call = Call(self._seconds)
        timer = threading.Timer(self._seconds, call.shut_down)
        timer.daemon = True
        if self._is_psycopg:
            timer.start()
        try:
            yield call
        except BaseException:
            if call.identity is not None and call.has_lost_session:
                _given_up[self._server].add(call.identity)
            raise
        finally:
            timer.cancel()
            call.let_go()

    def _begin_session(self, session: Any, record: Any) -> None:
        record.info[_IS_NEW] = True
        self._calls.current.hold(session, None)
        if not self._is_psycopg:
            return
        record.info[_IDENTITY] = session.execute(_WHO).fetchone()
        self._end_given_up(session)
        session.commit()

    def _end_given_up(self, session: Any) -> None:
        """End the sessions that were given up: they may hold locks that nobody else can free.

        Where the network failed amid a message, PostgreSQL waits for the rest of it, and none of
        its timeouts counts there.
        """
        given_up = _given_up[self._server]
        for identity in tuple(given_up):
            session.execute(_END, identity)
            given_up.discard(identity)

    def _take_session(self, session: Any, record: Any, _proxy: object) -> None:
        call: Call = self._calls.current
        call.hold(session, record.info.get(_IDENTITY))
        if record.info.pop(_IS_NEW, False):
            return
        if self._answers(session):
            return
        if call.is_late:
            raise NoAnswer(f"{self._server} did not answer in time")
        call.let_go()
        raise InvalidatePoolError  # the pool connects anew

    def _answers(self, session: Any) -> bool:
        try:
            return self._dialect.do_ping(session)  # some versions say false, others raise
        except self._dialect.loaded_dbapi.Error:
            return False
