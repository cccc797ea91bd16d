"""The connections of the HTTP server: how many there may be, and how long a client may take."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from event_brokers_assistant import failures

logger = logging.getLogger("event_brokers.assistant")

_LEAST_READ = 64 * 1024  # bytes of an answer that are to be read before the patience ends
_QUIET_SECONDS = 60.0  # between two lines of the log about connections that were closed


class Connections:
    """Those that are open. At the limit, the one that has waited longest for its client is closed.

    A connection waits for its client until a whole request has arrived, and until what was
    answered is read. Used on the event loop's thread alone.

    Parameters:
        most: how many may be open.
        seconds: how long a request may take to arrive.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self.seconds = seconds
        self._most = most
        self._open: set[Connection] = set()
        self._waiting: dict[Connection, None] = {}  # the longest first
        self._closed = 0
        self._told: float | None = None

    def add(self, connection: Connection) -> None:
        """Let a connection in, and close another one where there are too many.

        Parameters:
            connection: is new, and waits for its client.
        """
        self._open.add(connection)
        self._waiting[connection] = None
        if len(self._open) <= self._most:
            return
        longest = next(iter(self._waiting))
        self.remove(longest)
        self._tell(connection.loop.time())
        if longest is connection:
            longest.refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many requests are being answered")
        else:
            longest.transport.abort()

    def remove(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def wait(self, connection: Connection) -> None:
        """Note that a connection waits for its client; one that did so before keeps its place."""
        if connection in self._open:
            self._waiting.setdefault(connection)

    def work(self, connection: Connection) -> None:
        """Note that it is this server's turn."""
        self._waiting.pop(connection, None)

    def _tell(self, now: float) -> None:
        self._closed += 1
        if self._told is not None and now - self._told < _QUIET_SECONDS:
            return
        logger.warning(
            "%d connections are open, as many as may be; closed %d that kept the server waiting",
            self._most,
            self._closed,
        )
        self._closed, self._told = 0, now


class Connection(H11Protocol):
    """One connection: closed where its request does not arrive, or its answer is not read.

    Parameters:
        connections: all of them.
        given: what uvicorn gives to a protocol.
    """

    def __init__(self, connections: Connections, **given: Any) -> None:
        super().__init__(**given)
        self._connections = connections
        self._arriving = _Timer(self.loop, connections.seconds, self._end_late_request)
        self._reading = _Timer(self.loop, connections.seconds, self._end_slow_reader)
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # so that pause_writing tells of all that is not read
        self._arriving.start()
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        super().connection_lost(exc)
        self._connections.remove(self)
        self._arriving.cancel()
        self._reading.cancel()

    def data_received(self, data: bytes) -> None:
        """Read on; the first byte of a request begins its time."""
        if self.conn.their_state is h11.IDLE:
            self._arriving.start()
        super().data_received(data)
        self._note_whose_turn_it_is()

    def on_response_complete(self) -> None:
        """Go on with the next request, of which something may have arrived already."""
        super().on_response_complete()
        self._note_whose_turn_it_is()

    def pause_writing(self) -> None:
        """Wait until the client reads."""
        super().pause_writing()
        self._wait_for_reader()
        self._connections.wait(self)

    def resume_writing(self) -> None:
        """Go on: the client has read everything."""
        super().resume_writing()
        self._reading.cancel()
        self._note_whose_turn_it_is()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self.refuse(HTTPStatus.BAD_REQUEST, msg.rstrip(".").lower())

    def refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer what has not become a request, and close the connection.

        Parameters:
            status: of HTTP.
            message: one clause.
        """
        body = json.dumps(failures.document(status, message)).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _note_whose_turn_it_is(self) -> None:
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._connections.wait(self)
            if self.conn.trailing_data[0]:
                self._arriving.start()
            return
        self._arriving.cancel()
        if not self._reading.is_running:
            self._connections.work(self)

    def _end_late_request(self) -> None:
        has_headers = self.conn.their_state is h11.SEND_BODY
        is_answered = has_headers and self.cycle.response_started
        if is_answered or not (has_headers or self.conn.trailing_data[0]):
            self.transport.close()
            return
        seconds = f"{self._connections.seconds:g}"
        self.refuse(HTTPStatus.REQUEST_TIMEOUT, f"the request did not arrive within {seconds} s")

    def _wait_for_reader(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._reading.start()

    def _end_slow_reader(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < _LEAST_READ:
            self.transport.abort()
            return
        self._wait_for_reader()


class _Timer:
    """Does something after a while, unless it is cancelled before.

    Parameters:
        loop: waits.
        seconds: how long.
        act: what is done.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, act: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._act = act
        self._handle: asyncio.TimerHandle | None = None

    @property
    def is_running(self) -> bool:
        """Whether it will be done."""
        return self._handle is not None

    def start(self) -> None:
        """Begin to wait; one that runs goes on as before."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._end)

    def cancel(self) -> None:
        """Do not wait any longer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _end(self) -> None:
        self._handle = None
        self._act()
