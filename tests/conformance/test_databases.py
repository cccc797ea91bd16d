"""`type: sql` with a server of each kind holds the contract."""

from __future__ import annotations

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


@pytest.mark.xdist_group("mariadb")
class TestMariaDB(DatabaseServer):
    """A table in MariaDB."""

    dialect = "mariadb"

    def present(self, certificate: Certificate) -> int:
        """Let MariaDB present a certificate."""
        self._is_changed = True
        self.server.present(certificate.certificate, certificate.key)
        return self.server.port
