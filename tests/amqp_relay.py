"""Carries AMQP between a client and RabbitMQ, and lets things happen between two of its frames."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_METHOD = 1  # the kind of a frame: AMQP 0-9-1, section 4.2.3
_PUBLISH, _ACK, _NACK = (60, 40), (60, 80), (60, 120)  # class and method, section 1.8.3; RabbitMQ's
_GREETING_BYTES = 8
_SECONDS = 20.0


class Relay:
    """What happens to the events and the answers that pass by.

    Each method is called on the thread of its direction, before what it is told of goes on.
    """

    def on_publish(self) -> None:
        """Let an event go on to RabbitMQ when this returns."""

    def on_refusal(self) -> None:
        """Let RabbitMQ's nack be an answer as others are when this returns."""

    def on_answer(self) -> None:
        """Let RabbitMQ's ack or nack go on to the client when this returns."""


class RoomAtEachRefusal(Relay):
    """Lets one event at a time reach RabbitMQ, and makes room whenever it refuses one.

    So room appears exactly between an event that is refused and the one that was sent behind it.

    Parameters:
        make_room: called once for each refusal.
    """

    def __init__(self, make_room: Callable[[], None]) -> None:
        self._make_room = make_room
        self._is_free = threading.Semaphore(1)

    def on_publish(self) -> None:
        assert self._is_free.acquire(timeout=_SECONDS)

    def on_refusal(self) -> None:
        self._make_room()

    def on_answer(self) -> None:
        self._is_free.release()


class NoAnswerBefore(Relay):
    """Lets no answer reach the client before RabbitMQ was sent a number of events."""

    def __init__(self) -> None:
        self._missing = 0
        self._changed = threading.Condition()

    def expect(self, events: int) -> None:
        """Hold back what RabbitMQ answers until so many more events have passed by."""
        with self._changed:
            self._missing = events

    def on_publish(self) -> None:
        with self._changed:
            self._missing -= 1
            self._changed.notify_all()

    def on_answer(self) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._missing <= 0, _SECONDS)


@contextmanager
def relayed(relay: Relay, target: int) -> Iterator[int]:
    """Listen on a port, and hand out its number.

    Parameters:
        relay: is told of what passes by.
        target: RabbitMQ's port.
    """

    class Link(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", target)) as server:
                for end in (self.request, server):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link = (relay, server, self.request)
                back = threading.Thread(target=_carry_answers, args=link)
                back.start()
                _carry_events(relay, self.request, server)
                back.join()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Link) as listener:
        thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield listener.server_address[1]
        finally:
            listener.shutdown()
            thread.join()


def _carry_events(relay: Relay, client: socket.socket, server: socket.socket) -> None:
    with _then_hang_up_on(server):
        server.sendall(_read(client, _GREETING_BYTES))
        while True:
            kind, method, frame = _read_frame(client)
            if (kind, method) == (_METHOD, _PUBLISH):
                relay.on_publish()
            server.sendall(frame)


def _carry_answers(relay: Relay, server: socket.socket, client: socket.socket) -> None:
    with _then_hang_up_on(client):
        while True:
            kind, method, frame = _read_frame(server)
            if (kind, method) == (_METHOD, _NACK):
                relay.on_refusal()
            if kind == _METHOD and method in (_ACK, _NACK):
                relay.on_answer()
            client.sendall(frame)


@contextmanager
def _then_hang_up_on(sink: socket.socket) -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError):
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


def _read_frame(source: socket.socket) -> tuple[int, tuple[int, int], bytes]:
    """Return a frame's kind, the class and method that it names, and all of it."""
    head = _read(source, 7)
    kind, _channel, size = struct.unpack(">BHI", head)
    rest = _read(source, size + 1)
    method = struct.unpack(">HH", rest[:4]) if kind == _METHOD else (0, 0)
    return kind, method, head + rest


def _read(source: socket.socket, size: int) -> bytes:
    content = bytearray()
    while len(content) < size:
        piece = source.recv(size - len(content))
        if not piece:
            raise EOFError
        content += piece
    return bytes(content)
