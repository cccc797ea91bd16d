"""A small broker of its own on a thread: real sockets, a password, groups, and events it refuses.

It stands for the server of a plugin's author: what the conformance kit proves of plugins, and of
broken ones, is proven against it within seconds. A request is a line of JSON, and so is its answer.
"""

from __future__ import annotations

import base64
import json
import socket
import socketserver
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

HOST = "127.0.0.1"
PASSWORD = "ledger-password-9d2c"
REFUSED = "refused-by-the-ledger"


@dataclass
class Record:
    """One event as it stands in the ledger."""

    body: bytes
    id: str | None
    headers: dict[str, str]


@dataclass
class Group:
    """How far a group of consumers has come.

    Attributes:
        position: of the oldest record that is not acknowledged.
        acknowledged: positions behind it.
        leased: position -> the connection that has the record in hand.
    """

    position: int
    acknowledged: set[int] = field(default_factory=set)
    leased: dict[int, object] = field(default_factory=dict)


class LedgerServer:
    """Keeps records in places, for as long as it exists; it can be stopped and started again."""

    def __init__(self) -> None:
        self.places: dict[str, list[Record]] = {}
        self.groups: dict[tuple[str, str], Group] = {}
        self.lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening: socketserver.ThreadingTCPServer | None = None
        self.port = 0

    def start(self) -> None:
        """Listen at the same port as before, if it has listened before."""
        owner = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                owner.serve(self.request, self.rfile, self.wfile)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = True
            daemon_threads = True
            request_queue_size = 64

        self._listening = Server((HOST, self.port), Handler)
        self.port = self._listening.server_address[1]
        threading.Thread(target=self._listening.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """End at once: every connection is reset."""
        listening, self._listening = self._listening, None
        if listening is None:
            return
        listening.shutdown()
        listening.server_close()
        with self.lock:
            for connection in self._open:
                with suppress(OSError):  # it has ended already
                    connection.shutdown(socket.SHUT_RDWR)

    def serve(self, connection: socket.socket, lines: Any, answers: Any) -> None:
        """Answer the requests of one connection."""
        client = object()
        with self.lock:
            self._open.add(connection)
        try:
            if not self._let_in(lines, answers):
                return
            while line := lines.readline():
                request = json.loads(line)
                with self.lock:
                    answer = _OPERATIONS[request.pop("do")](self, client, **request)
                answers.write(json.dumps(answer).encode() + b"\n")
        except OSError:
            return
        finally:
            with self.lock:
                self._open.discard(connection)
                self._return_leases(client)

    @staticmethod
    def _let_in(lines: Any, answers: Any) -> bool:
        line = lines.readline()
        is_right = bool(line) and json.loads(line).get("password") == PASSWORD
        answers.write(json.dumps({"ok": is_right}).encode() + b"\n")
        return is_right

    def _return_leases(self, client: object) -> None:
        for group in self.groups.values():
            group.leased = {at: who for at, who in group.leased.items() if who is not client}

    def _has(self, _client: object, place: str) -> Any:
        return {"has": place in self.places}

    def _make(self, _client: object, place: str) -> Any:
        self.places.setdefault(place, [])
        return {"ok": True}

    def _store(self, _client: object, place: str, records: list[Any], once: bool) -> Any:
        new = [Record(base64.b64decode(body), each, headers) for each, body, headers in records]
        refused = [record.id for record in new if REFUSED.encode() in record.body]
        if refused:
            return {"ok": False, "refused": refused}
        stored = self.places[place]
        known = {record.id for record in stored} if once else set()
        stored += [record for record in new if record.id not in known]
        return {"ok": True}

    def _join(self, _client: object, place: str, group: str, from_start: bool) -> Any:
        begin = 0 if from_start else len(self.places[place])
        self.groups.setdefault((place, group), Group(begin))
        return {"ok": True}

    def _lease(self, client: object, place: str, group: str) -> Any:
        state, stored = self.groups[place, group], self.places[place]
        for position in range(state.position, len(stored)):
            if position not in state.leased and position not in state.acknowledged:
                state.leased[position] = client
                return self._shown(stored[position], position)
        return {"ok": False}

    def _acknowledge(self, _client: object, place: str, group: str, position: int) -> Any:
        state = self.groups[place, group]
        state.leased.pop(position, None)
        state.acknowledged.add(position)
        while state.position in state.acknowledged:
            state.acknowledged.discard(state.position)
            state.position += 1
        return {"ok": True}

    def _leave(self, client: object, place: str) -> Any:
        del place
        self._return_leases(client)
        return {"ok": True}

    def _length(self, _client: object, place: str) -> Any:
        return {"length": len(self.places[place])}

    def _look(self, _client: object, place: str, position: int) -> Any:
        stored = self.places[place]
        if position >= len(stored):
            return {"ok": False}
        return self._shown(stored[position], position)

    @staticmethod
    def _shown(record: Record, position: int) -> Any:
        return {
            "ok": True, "position": position, "id": record.id, "headers": record.headers,
            "body": base64.b64encode(record.body).decode(),
        }  # fmt: skip


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "has": LedgerServer._has,
    "make": LedgerServer._make,
    "store": LedgerServer._store,
    "join": LedgerServer._join,
    "lease": LedgerServer._lease,
    "acknowledge": LedgerServer._acknowledge,
    "leave": LedgerServer._leave,
    "length": LedgerServer._length,
    "look": LedgerServer._look,
}
