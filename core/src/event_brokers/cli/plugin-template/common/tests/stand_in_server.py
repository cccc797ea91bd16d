"""A server in this process that stands in for the real one: queues, groups, a password.

It keeps what it has confirmed while it is "killed", as the real one would on its disk.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

USER, PASSWORD = "conformance", "right-password"
MOST_BYTES = 2_000_000  # that the body of an event may have
TURN_SECONDS = 0.2  # after which a reader is told that nothing has arrived


@dataclass
class Queue:
    """What one queue holds.

    Attributes:
        events: in the order in which they came.
        ids: of those events.
        groups: name -> what the group has got so far.
    """

    events: list[dict[str, Any]] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    groups: dict[str, Group] = field(default_factory=dict)


@dataclass
class Group:
    """Where a group of readers stands.

    Attributes:
        position: the number of the event that nobody has got yet.
        returned: numbers of events that were given out, and not acknowledged.
    """

    position: int
    returned: list[int] = field(default_factory=list)

    def take(self, queue: Queue) -> int | None:
        """Return the number of the next event; None where there is none."""
        if self.returned:
            self.returned.sort()
            return self.returned.pop(0)
        if self.position == len(queue.events):
            return None
        self.position += 1
        return self.position - 1


class StandInServer:
    """The server, on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self.changed = threading.Condition()
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, at the port of before."""
        self._connections: set[socket.socket] = set()
        self._listener = _Listener(self)
        self.port = self._listener.server_address[1]
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """End every connection at once, and listen no more."""
        self._listener.shutdown()
        self._thread.join()
        with self.changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self._listener.server_close()

    def put(self, queue: str, body: bytes) -> None:
        """Put a message into a queue, as somebody else would."""
        with self.changed:
            text = body.decode("utf-8", "surrogateescape")
            self._queue(queue).events.append({"id": None, "body": text, "headers": {}})
            self.changed.notify_all()

    def serve(self, connection: socket.socket) -> None:
        """Answer what a client asks, until it goes."""
        with self.changed:
            self._connections.add(connection)
        reader = _Reader(self)
        try:
            with connection.makefile("rb") as requests:
                while (line := requests.readline()).endswith(b"\n"):
                    answer = self._answer(json.loads(line), reader)
                    connection.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            pass  # the client is gone, or this server is being killed
        finally:
            reader.leave()
            with self.changed:
                self._connections.discard(connection)

    def _answer(self, request: dict[str, Any], reader: _Reader) -> dict[str, Any]:
        match request.pop("do"):
            case "sign in":
                user, password = request["username"], request["password"]
                return {"accepted": (user, password) in ((USER, PASSWORD), (None, None))}
            case "open":
                return {"found": self._open(**request)}
            case "publish":
                return {"refused": self._publish(**request)}
            case "subscribe":
                reader.subscribe(self._queue(request.pop("queue")), **request)
                return {}
            case "next":
                return {"event": reader.next()}
            case other:
                raise ValueError(f"no client asks {other}")

    def _open(self, queue: str, make: bool) -> bool:
        with self.changed:
            is_found = queue in self.queues
            if make:
                self._queue(queue)
            return is_found

    def _publish(self, queue: str, events: list[dict[str, Any]]) -> dict[str, str]:
        with self.changed:
            held, refused = self._queue(queue), {}
            for event in events:
                if len(event["body"]) > MOST_BYTES:
                    refused[event["id"]] = f"the event is larger than {MOST_BYTES} bytes"
                elif event["id"] not in held.ids:
                    held.ids.add(event["id"])
                    held.events.append(event)
            self.changed.notify_all()
            return refused

    def _queue(self, name: str) -> Queue:
        return self.queues.setdefault(name, Queue())


class _Reader:
    """What one connection reads: one event is in hand until the next is asked for."""

    def __init__(self, server: StandInServer) -> None:
        self._changed = server.changed
        self._queue = Queue()
        self._group = Group(0)
        self._in_hand: int | None = None

    def subscribe(self, queue: Queue, group: str | None, from_start: bool) -> None:
        with self._changed:
            new = Group(0 if from_start else len(queue.events))
            self._queue = queue
            self._group = new if group is None else queue.groups.setdefault(group, new)

    def next(self) -> dict[str, Any] | None:
        with self._changed:
            self._in_hand = self._group.take(self._queue)
            if self._in_hand is None:
                self._changed.wait(TURN_SECONDS)
                self._in_hand = self._group.take(self._queue)
            if self._in_hand is None:
                return None
            return {**self._queue.events[self._in_hand], "position": self._in_hand}

    def leave(self) -> None:
        with self._changed:
            if self._in_hand is not None:
                self._group.returned.append(self._in_hand)
                self._changed.notify_all()


class _Listener(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, server: StandInServer) -> None:
        self.stand_in = server
        super().__init__(("127.0.0.1", server.port), _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: _Listener

    def handle(self) -> None:
        self.server.stand_in.serve(self.request)
