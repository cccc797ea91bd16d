"""What the author of a plugin for the ledger answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pytest

from event_brokers.testing import Arrived, Conformance
from testing.ledger_server import PASSWORD, REFUSED, LedgerServer, Record


class LedgerConformance(Conformance):
    """Answers everything; the deadlines are short, for the plugin's own are."""

    type = "ledger"
    entry_point: ClassVar[str | None] = "testing.ledger:plugin"
    stores_once = True
    hook_seconds = 5.0
    close_seconds = 3.0
    import_seconds = 2.0

    @pytest.fixture(autouse=True)
    def ledger(self) -> Iterator[LedgerServer]:
        """Run a server for one check."""
        self.server = LedgerServer()
        self.server.start()
        yield self.server
        self.server.stop()

    def options(self) -> Mapping[str, Any]:
        """Return the options of a ledger of the test's own."""
        return self.at(self.server.port)

    def arrived(self) -> list[Arrived]:
        """Return what stands in the ledger."""
        with self.server.lock:
            records = list(self.server.places.get(self.name, ()))
        return [Arrived(each.body, each.id, each.headers) for each in records]

    def break_server(self) -> None:
        """Stop the server."""
        self.server.stop()

    def mend_server(self) -> None:
        """Start the server."""
        self.server.start()

    def server_port(self) -> int:
        """Return the server's port."""
        return self.server.port

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options for another port."""
        return {"port": port, "ledger": self.name, "password": PASSWORD}

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that the server refuses."""
        return {"kind": REFUSED}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        return {**self.at(port), "tls": True, "ssl_cafile": authority}

    def place_exists(self) -> bool:
        """Return whether the ledger was made."""
        return self.name in self.server.places

    def put(self, body: bytes) -> None:
        """Store a record."""
        with self.server.lock:
            self.server.places.setdefault(self.name, []).append(Record(body, None, {}))
