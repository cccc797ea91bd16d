"""Tables in SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from servers import MariaDB, PostgreSQL
from servers.backends import Arrived, Backend

BACKENDS = (
    pytest.param("sqlite_backend", id="sqlite"),
    pytest.param(
        "postgresql_backend", id="postgresql", marks=pytest.mark.xdist_group("postgresql")
    ),
    pytest.param("mariadb_backend", id="mariadb", marks=pytest.mark.xdist_group("mariadb")),
)
QUERY = "SELECT data, event_id, sender_id, type_name FROM {table} ORDER BY id"


def _row(row: tuple[Any, ...]) -> Arrived:
    return Arrived(row[0].encode(), *row[1:])


@pytest.fixture
def sqlite_backend(tmp_path: Path) -> Backend:
    """Return SQLite in a file."""
    file = tmp_path / "events.db"

    def read() -> list[Arrived]:
        with closing(sqlite3.connect(file)) as connection:
            return [_row(row) for row in connection.execute(QUERY.format(table="events"))]

    return Backend({"type": "sql", "dialect": "sqlite", "db": str(file)}, read, None)


def _sql_backend(server: PostgreSQL | MariaDB, dialect: str, table: str) -> Backend:
    section = {
        "type": "SQL", "dialect": dialect, "url": server.host, "port": server.port,
        "db": server.db, "username": server.username, "password": server.password, "table": table,
    }  # fmt: skip
    return Backend(
        section, lambda: [_row(row) for row in server.query(QUERY.format(table=table))], server
    )


@pytest.fixture
def postgresql_backend(postgresql: PostgreSQL, name: str) -> Backend:
    """Return a table in PostgreSQL."""
    return _sql_backend(postgresql, "postgresql", name)


@pytest.fixture
def mariadb_backend(mariadb: MariaDB, name: str) -> Backend:
    """Return a table in MariaDB."""
    return _sql_backend(mariadb, "mariadb", name)
