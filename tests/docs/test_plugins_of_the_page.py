"""The plugins that docs/plugins.md shows hold the contract, as they stand there."""

from __future__ import annotations

import http.server
import json
import socket
import sys
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

import pytest

import plugin_page
from event_brokers.testing import Arrived, Conformance
from wheels import ROOT

TEMPLATE = ROOT / "core/src/event_brokers/cli/plugin-template/common"
PASSWORD = "right-password"
LOGIN = f"conformance:{PASSWORD}"
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module", autouse=True)
def _importable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let the plugins be imported, here and in the processes that the kit starts."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in ("webhook", "relay"):
        plugin_page.write_module(name, folder)
    sys.path.insert(0, str(folder))
    yield
    sys.path.remove(str(folder))


class Endpoint:
    """An HTTP server that keeps what is posted to it, by path."""

    def __init__(self) -> None:
        self.posted: dict[str, list[Arrived]] = {}
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, at the port of before."""
        self.connections: list[socket.socket] = []
        self._server = _HttpServer(self)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """End every connection at once, and listen no more."""
        self._server.shutdown()
        self._thread.join()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._server.server_close()

    def keep(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Keep an event."""
        event_id = headers.pop("event_id")
        self.posted.setdefault(path, []).append(Arrived(body, event_id, headers))


class _HttpServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        super().__init__(("127.0.0.1", endpoint.port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a connection that was reset, as the checks do."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _HttpServer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        self.server.endpoint.connections.append(self.connection)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self._answer(200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if len(body) > MOST_BYTES:
            return self._answer(413)
        return self._answer(204, body)

    def _answer(self, status: int, body: bytes | None = None) -> None:
        if self.headers["Authorization"] != f"Basic {b64encode(LOGIN.encode()).decode()}":
            status, body = 401, None
        if body is not None:
            self.server.endpoint.keep(self.path, body, json.loads(self.headers["Event"]))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """Yield an HTTP server."""
    server = Endpoint()
    yield server
    server.stop()


class TestWebhook(Conformance):
    """An HTTP endpoint, with TLS and a login."""

    type = "webhook"
    entry_point = "event_brokers_webhook:plugin"
    server: Endpoint

    @pytest.fixture(autouse=True)
    def _server(self, endpoint: Endpoint) -> None:
        self.server = endpoint

    def options(self) -> dict[str, Any]:
        """Return a path of the test's own."""
        return self.at(self.server.port)

    def at(self, port: int) -> dict[str, Any]:
        """Return the options that lead to another port."""
        return {
            "url": f"127.0.0.1:{port}", "path": self._path(), "tls": False,
            "username": "conformance", "password": PASSWORD,
        }  # fmt: skip

    def arrived(self) -> list[Arrived]:
        """Return what was posted."""
        return list(self.server.posted.get(self._path(), []))

    def server_port(self) -> int:
        """Return the server's port."""
        return self.server.port

    def break_server(self) -> None:
        """Kill it."""
        self.server.stop()

    def mend_server(self) -> None:
        """Start it."""
        self.server.start()

    def refused_event(self) -> dict[str, Any]:
        """Return an event that is too large."""
        return {"text": "x" * MOST_BYTES}

    def with_password(self, password: str) -> dict[str, Any]:
        """Return another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> dict[str, Any]:
        """Return the way over TLS."""
        return {**self.at(port), "tls": True, "ssl_cafile": authority}

    def _path(self) -> str:
        return f"/{self.name}"


def _stand_in() -> Any:
    """Return the module of the server that `event-brokers plugins new` writes."""
    name = "stand_in_server"
    specification = spec_from_file_location(name, TEMPLATE / "tests" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = module_from_spec(specification)
    sys.modules[name] = module  # dataclasses look for it there
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def relay() -> Iterator[Any]:
    """Yield a server that speaks what the page's relay speaks."""
    server = _stand_in().StandInServer()
    yield server
    server.stop()


class TestRelay(Conformance):
    """A client that is asyncio only, with `consume`, and no options class."""

    type = "relay"
    entry_point = "event_brokers_relay"
    stores_once = True
    server: Any

    @pytest.fixture(autouse=True)
    def _server(self, relay: Any) -> None:
        self.server = relay

    def options(self) -> dict[str, Any]:
        """Return a queue of the test's own."""
        return self.at(self.server.port)

    def at(self, port: int) -> dict[str, Any]:
        """Return the options that lead to another port."""
        return {"host": f"127.0.0.1:{port}", "queue": self.name}

    def arrived(self) -> list[Arrived]:
        """Return what the queue holds."""
        if not self.place_exists():
            return []
        events = list(self.server.queues[self.name].events)
        return [Arrived(each["body"].encode(), each["id"], each["headers"]) for each in events]

    def server_port(self) -> int:
        """Return the server's port."""
        port: int = self.server.port
        return port

    def break_server(self) -> None:
        """Kill it."""
        self.server.stop()

    def mend_server(self) -> None:
        """Start it."""
        self.server.start()

    def refused_event(self) -> dict[str, Any]:
        """Return an event that is too large."""
        return {"text": "x" * MOST_BYTES}

    def place_exists(self) -> bool:
        """Return whether the queue is there."""
        return self.name in self.server.queues

    def put(self, body: bytes) -> None:
        """Put a message into the queue, as somebody else would."""
        self.server.put(self.name, body)
