"""`type: sql` with a server of each kind holds the contract."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from conformance.tables import DatabaseServer, await_certificate
from event_brokers.testing.certificates import Certificate


@pytest.mark.xdist_group("postgresql")
class TestPostgreSQL(DatabaseServer):
    """A table in PostgreSQL."""

    dialect = "postgresql"

    def present(self, certificate: Certificate) -> int:
        """Let PostgreSQL present a certificate."""
        self._is_changed = True
        self.server.present(certificate.certificate, certificate.key)
        await_certificate(self.server.port, certificate)
        return self.server.port


# Python's ssl does not close a socket that was reset before its handshake; collected, it is closed
@pytest.mark.filterwarnings("ignore:.*unclosed <ssl.SSLSocket", "ignore:.*ssl.SSLSocket")
@pytest.mark.xdist_group("mariadb")
class TestMariaDB(DatabaseServer):
    """A table in MariaDB."""

    dialect = "mariadb"

    @pytest.fixture(autouse=True)
    def collect(self, database: None) -> Iterator[None]:  # noqa: ARG002 - comes after it
        """Collect what a check has left, while this class's warnings are let pass."""
        yield
        gc.collect()

    def present(self, certificate: Certificate) -> int:
        """Let MariaDB present a certificate."""
        self._is_changed = True
        self.server.present(certificate.certificate, certificate.key)
        return self.server.port
