"""The plugin holds the contract: the checks are those of the kit, and here are its answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from event_brokers.testing import Arrived, Conformance
from stand_in_server import MOST_BYTES, PASSWORD, USER, StandInServer


@pytest.fixture(scope="module")
def running() -> Iterator[StandInServer]:
    """Yield the server."""
    server = StandInServer()
    yield server
    server.stop()


class TestConformance(Conformance):
    """What the kit has to know of the server."""

    type = "mybroker"
    stores_once = True
    server: StandInServer

    @pytest.fixture(autouse=True)
    def _server(self, running: StandInServer) -> None:
        self.server = running

    def options(self) -> dict[str, Any]:
        return self.at(self.server.port)

    def at(self, port: int) -> dict[str, Any]:
        return {
            "url": f"127.0.0.1:{port}",
            "queue": self.name,
            "username": USER,
            "password": PASSWORD,
        }

    def arrived(self) -> list[Arrived]:
        if not self.place_exists():
            return []
        events = list(self.server.queues[self.name].events)
        return [
            Arrived(each["body"].encode("utf-8", "surrogateescape"), each["id"], each["headers"])
            for each in events
        ]

    def server_port(self) -> int:
        return self.server.port

    def break_server(self) -> None:
        self.server.stop()

    def mend_server(self) -> None:
        self.server.start()

    def refused_event(self) -> dict[str, Any]:
        return {"event": "user", "text": "x" * MOST_BYTES}

    def with_password(self, password: str) -> dict[str, Any]:
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> dict[str, Any]:
        return {**self.at(port), "tls": True, "ssl_cafile": authority}

    def place_exists(self) -> bool:
        return self.name in self.server.queues

    def put(self, body: bytes) -> None:
        self.server.put(self.name, body)
