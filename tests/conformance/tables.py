"""What is the same for every database: the rows of the table, and an event that it refuses."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from event_brokers.testing import Arrived, Conformance
from event_brokers.testing.certificates import Certificate
from servers import Certificates, MariaDB, PostgreSQL
from servers.fixtures import healthy

REFUSED = "refused-by-the-table"
COLUMNS = "data, event_id, type_name, headers"
_PRESENT_SECONDS = 20.0


def arrived(row: tuple[Any, ...]) -> Arrived:
    """Return the event that a row of the table holds."""
    data, event_id, type_name, headers = row
    given = json.loads(headers) if headers else {}
    return Arrived(data.encode(), event_id, {**given, "event_type": type_name})


class DatabaseServer(Conformance):
    """A table in a database with a server."""

    type = "sql"
    stores_once = True
    dialect: ClassVar[str]
    server: PostgreSQL | MariaDB

    @pytest.fixture(autouse=True)
    def database(
        self, request: pytest.FixtureRequest, certificates: Certificates
    ) -> Iterator[None]:
        """Take the server with TLS, and give it back as it was."""
        with healthy(request.getfixturevalue(f"{self.dialect}_over_tls")) as self.server:
            self._is_changed = False
            yield
            if self._is_changed:
                self.server.present(certificates.server_certificate, certificates.server_key)

    def options(self) -> Mapping[str, Any]:
        """Return a table of the test's own."""
        return self.at(self.server.port)

    def arrived(self) -> list[Arrived]:
        """Return the rows."""
        rows = self.server.query(f"SELECT {COLUMNS} FROM {self.name} ORDER BY id")
        return [arrived(row) for row in rows]

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
            "dialect": self.dialect, "url": self.server.host, "port": port, "db": self.server.db,
            "username": self.server.username, "password": self.server.password,
            "table": self.name,
        }  # fmt: skip

    def refused_event(self) -> Mapping[str, Any]:
        """Let the table refuse a word, and return an event with it."""
        self.subject.connect(self.options()).end()
        self.server.query(
            f"ALTER TABLE {self.name} ADD CONSTRAINT c_{self.name} "
            f"CHECK (data NOT LIKE '%{REFUSED}%')"
        )
        return {"text": REFUSED}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS that is verified."""
        return {**self.at(port), "ssl_cafile": authority}

    def place_exists(self) -> bool:
        """Return whether the table is there."""
        found = self.server.query(
            f"SELECT 1 FROM information_schema.tables WHERE table_name = '{self.name}'"
        )
        return bool(found)

    def put(self, body: bytes) -> None:
        """Insert a row."""
        self.subject.connect(self.options()).end()
        self.server.query(f"INSERT INTO {self.name} (data) VALUES ('{body.decode()}')")


def await_certificate(port: int, certificate: Certificate) -> None:
    """Wait until PostgreSQL presents a certificate, as it does some time after it was told to.

    Parameters:
        port: of the server.
        certificate: whose first one it is to present.
    """
    wanted = ssl.PEM_cert_to_DER_cert(_first(certificate.certificate))
    deadline = time.monotonic() + _PRESENT_SECONDS
    while _presented(port) != wanted:
        assert time.monotonic() < deadline, "the server does not present its new certificate"
        time.sleep(0.05)


def _first(file: Path) -> str:
    end = "-----END CERTIFICATE-----"
    return file.read_text(encoding="ascii").partition(end)[0] + end + "\n"


def _presented(port: int) -> bytes | None:
    """Return the certificate, asked for as PostgreSQL's protocol does: SSLRequest."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain:
        plain.sendall(struct.pack("!ii", 8, 80877103))
        if plain.recv(1) != b"S":
            return None
        with context.wrap_socket(plain) as encrypted:
            return encrypted.getpeercert(binary_form=True)
