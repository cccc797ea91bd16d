"""`type: http` holds the contract: one event a request, and compressed batches of CloudEvents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from event_brokers.testing import Arrived, Conformance
from servers import HttpServer

LARGEST_BYTES = 2 * 1024 * 1024
_GIVEN = "event-header-"


class OverHttp(Conformance):
    """A path of the server; the base of one class for each form."""

    type = "http"
    form: Mapping[str, Any] = {}

    @pytest.fixture(autouse=True)
    def broker(self, http: HttpServer) -> Iterator[None]:
        """Take the server, and let it take no large bodies."""
        self.server = http
        http.behave(most_bytes=LARGEST_BYTES)
        yield
        http.recover()

    def options(self) -> Mapping[str, Any]:
        """Return a path of the test's own."""
        return self.at(self.server.port)

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
            **self.form, "url": f"{self.server.url(self.name, port)}?once",
            "username": self.server.username, "password": self.server.password,
        }  # fmt: skip

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that is larger than the server takes."""
        return {"text": "x" * LARGEST_BYTES}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        options = self.at(port)
        https = options["url"].replace("http://", "https://")
        return {**options, "url": https, "ssl_cafile": authority}

    def place_exists(self) -> bool:
        """Return whether anything has arrived at the path."""
        return bool(self.server.arrived(self.name))


@pytest.mark.xdist_group("http")
class TestHttp(OverHttp):
    """One event a request, each with its Idempotency-Key."""

    stores_once = True

    def arrived(self) -> list[Arrived]:
        """Read what the server has kept."""
        return [_request(each["headers"], each["body"]) for each in self.server.arrived(self.name)]


@pytest.mark.xdist_group("http")
class TestHttpCloudEvents(OverHttp):
    """Batches of CloudEvents, compressed: they carry ids, types and bodies, not every header."""

    form: Mapping[str, Any] = {
        "format": "cloudevents", "batch": "array", "compression": "gzip",
    }  # fmt: skip
    has_headers = False

    def arrived(self) -> list[Arrived]:
        """Read what the server has kept."""
        requests = self.server.arrived(self.name)
        return [event for request in requests for event in _events(request["body"])]


class _CloudEvent(msgspec.Struct):
    id: str
    data: msgspec.Raw


def _request(headers: Mapping[str, str], body: str) -> Arrived:
    given = {
        unquote(name.removeprefix(_GIVEN)): unquote(text)
        for name, text in headers.items()
        if name.startswith(_GIVEN)
    }
    if "event-type" in headers:
        given["event_type"] = unquote(headers["event-type"])
    return Arrived(body.encode(), unquote(headers["idempotency-key"]), given)


def _events(body: str) -> list[Arrived]:
    found = msgspec.json.decode(body, type=list[_CloudEvent])
    return [Arrived(bytes(each.data), each.id) for each in found]
