"""`type: redis`, the example, holds the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from event_brokers.testing import Arrived, Conformance
from servers import Redis

LARGEST_BYTES = 2 * 1024 * 1024


@pytest.mark.xdist_group("redis")
class TestRedis(Conformance):
    """A stream."""

    type = "redis"

    @pytest.fixture(autouse=True)
    def broker(self, redis: Redis) -> Iterator[None]:
        """Take the server, and let it take no large values."""
        self.server = redis
        self._limit(LARGEST_BYTES)
        yield
        redis.recover()
        self._limit(512 * 1024 * 1024)

    def options(self) -> Mapping[str, Any]:
        """Return a stream of the test's own."""
        return self.at(self.server.port)

    def arrived(self) -> list[Arrived]:
        """Read the stream from its beginning."""
        with self.server.connection() as client:
            entries: Any = client.xrange(self.name)
        return [_arrived(fields) for _, fields in entries]

    def break_server(self) -> None:
        """Kill the server."""
        self.server.kill()

    def mend_server(self) -> None:
        """Start the server."""
        self.server.restart()

    def server_port(self) -> int:
        """Return the server's port."""
        return self.server.port

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options for another port."""
        return {
            "url": f"{self.server.host}:{port}", "username": self.server.username,
            "password": self.server.password, "stream": self.name,
        }  # fmt: skip

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that is larger than the server takes."""
        return {"text": "x" * LARGEST_BYTES}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        return {**self.at(port), "tls": True, "ssl_cafile": authority}

    def place_exists(self) -> bool:
        """Return whether the stream is there."""
        with self.server.connection() as client:
            return bool(client.exists(self.name))

    def put(self, body: bytes) -> None:
        """Add an entry."""
        with self.server.connection() as client:
            client.xadd(self.name, {"body": body})

    def _limit(self, most: int) -> None:
        with self.server.connection() as client:
            client.config_set("proto-max-bulk-len", most)


def _arrived(fields: Mapping[str, str]) -> Arrived:
    headers = {name.removeprefix("header:"): text for name, text in fields.items()}
    return Arrived(headers.pop("body").encode(), headers.get("event_id"), headers)
