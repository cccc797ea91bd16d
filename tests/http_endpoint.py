"""A small HTTP server on threads: keeps what arrives, and answers each request as it is told.

It is written from sockets up, for it has to answer as no decent server does: a byte now and then,
something that is no HTTP, half of an answer, none at all.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from typing_extensions import Self

HOST = "127.0.0.1"
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST
_SILENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Arrival:
    """One request.

    Attributes:
        method: of the request.
        target: path and query.
        headers: by their names in lower case.
        body: as it came.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[socket.socket, Arrival], bool]
"""Answers a request on its socket; returns whether the connection stays open."""


def status(code: int, *, close: bool = False, body: bytes = b"", **headers: str) -> Answer:
    """Return what answers with a status.

    Parameters:
        code: of the answer.
        close: whether the connection is closed afterwards, without a word of it.
        body: of the answer.
        headers: with _ for -.
    """
    lines = [f"HTTP/1.1 {code} Reason", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1") + body

    def answer(connection: socket.socket, _arrival: Arrival) -> bool:
        connection.sendall(raw)
        return not close

    return answer


def raw(text: bytes) -> Answer:
    """Return what answers with these bytes, whatever they are, and closes."""

    def answer(connection: socket.socket, _arrival: Arrival) -> bool:
        connection.sendall(text)
        return False

    return answer


def drip(text: bytes, seconds: float) -> Answer:
    """Return what sends a byte now and then, for ever: the text again and again.

    Parameters:
        text: to be sent.
        seconds: between two bytes.
    """

    def answer(connection: socket.socket, _arrival: Arrival) -> bool:
        pause = threading.Event()
        while True:
            for byte in text:
                connection.sendall(bytes([byte]))
                pause.wait(seconds)

    return answer


def reset(connection: socket.socket, _arrival: Arrival) -> bool:
    """Answer nothing, and reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    return False


def silence(connection: socket.socket, _arrival: Arrival) -> bool:
    """Answer nothing until the client has gone away."""
    connection.settimeout(_SILENCE_SECONDS)
    connection.recv(1)
    return False


class HttpEndpoint:
    """Listens at a port of its own.

    Parameters:
        context: of TLS; None for none.
        port: where it listens; 0 for any.
        host: where it listens.

    Attributes:
        arrived: every request that carries a body, in order.
        probes: every other one.
        answers: what the next requests with a body are answered; `answer` once there is none left.
        answer: what all others are answered.
        to_probes: what requests without a body are answered.
        connections: made so far.
    """

    def __init__(
        self, context: ssl.SSLContext | None = None, port: int = 0, host: str = HOST
    ) -> None:
        self.arrived: list[Arrival] = []
        self.probes: list[Arrival] = []
        self.answers: deque[Answer] = deque()
        self.answer: Answer = status(204)
        self.to_probes: Answer = status(204)
        self.connections = 0
        self.port = port
        self.host = host
        self._context = context
        self._open: set[socket.socket] = set()
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        """Where events go."""
        scheme = "http" if self._context is None else "https"
        return f"{scheme}://{self.host}:{self.port}/events"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, at the same port as before if it has listened before."""
        owner = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                owner.connections += 1
                owner._serve(self.request)

        self._server = _Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def stop(self) -> None:
        """End, and every connection with it."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        self.drop()

    def drop(self) -> None:
        """Close every connection, as a server does with those that it has kept open long enough."""
        for connection in list(self._open):
            with suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _serve(self, accepted: socket.socket) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # clients go away
            if self._context is None:
                self._serve_requests(accepted)
                return
            with self._context.wrap_socket(accepted, server_side=True) as connection:
                self._serve_requests(connection)

    def _serve_requests(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            with connection.makefile("rb") as stream:
                while (arrival := read_request(stream)) is not None:
                    if not self._take(arrival)(connection, arrival):
                        return
        finally:
            self._open.discard(connection)

    def _take(self, arrival: Arrival) -> Answer:
        if not arrival.body:
            self.probes.append(arrival)
            return self.to_probes
        self.arrived.append(arrival)
        return self.answers.popleft() if self.answers else self.answer


def read_request(stream: BinaryIO) -> Arrival | None:
    """Return the next request of a connection; None where it has ended."""
    first = stream.readline().split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while (line := stream.readline().strip()) != b"":
        name, _, value = line.decode("latin-1").partition(":")
        assert name.lower() not in headers, f"{name} came twice"
        headers[name.lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    body = stream.read(size)
    if len(body) < size:
        return None
    return Arrival(first[0].decode(), first[1].decode(), headers, body)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away."""
