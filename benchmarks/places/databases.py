"""A table in SQLite, PostgreSQL or MariaDB, as event-brokers-sql makes it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import event_brokers
from benchmarks.places.place import Place
from servers import MariaDB, PostgreSQL

_TABLE = "measured"
_ALL = f"SELECT data FROM {_TABLE} ORDER BY id"
_FLUSH_SECONDS = 60


@contextmanager
def sqlite() -> Iterator[Place]:
    """Return a file of SQLite, a new one for each turn."""

    def empty(folder: Path) -> dict[str, Any]:
        section = {"type": "sql", "dialect": "sqlite", "db": str(_file(folder)), "table": _TABLE}
        _make_table(section, lambda statement: _run(folder, statement))
        return section

    def read(folder: Path) -> Iterator[str]:
        with closing(sqlite3.connect(_file(folder))) as connection:
            for (body,) in connection.execute(_ALL):
                yield body

    yield Place(empty, read)


@contextmanager
def postgresql(server: PostgreSQL) -> Iterator[Place]:
    """Return a table in a running PostgreSQL."""
    yield _in_server(server, "postgresql")


@contextmanager
def mariadb(server: MariaDB) -> Iterator[Place]:
    """Return a table in a running MariaDB."""
    yield _in_server(server, "mariadb")


def _in_server(server: PostgreSQL | MariaDB, dialect: str) -> Place:
    section = {
        "type": "sql", "dialect": dialect, "host": server.host, "port": server.port,
        "db": server.db, "username": server.username, "password": server.password, "table": _TABLE,
    }  # fmt: skip

    def empty(_: Path) -> dict[str, Any]:
        server.query(f"DROP TABLE IF EXISTS {_TABLE}")
        _make_table(section, server.query)
        return section

    def read(_: Path) -> Iterator[str]:
        for (body,) in server.query(_ALL):
            yield body

    return Place(empty, read, server)


def _make_table(section: dict[str, Any], run: Callable[[str], object]) -> None:
    """Let ours make the table, and take out the event that it was made for."""
    with event_brokers.connect(json.loads(json.dumps(section))) as broker:
        broker.publish({})
        if broker.flush(_FLUSH_SECONDS).delivered != 1:
            raise RuntimeError(broker.status().last_error)
    run(f"DELETE FROM {_TABLE}")


def _run(folder: Path, statement: str) -> None:
    with closing(sqlite3.connect(_file(folder))) as connection, connection:
        connection.execute(statement)


def _file(folder: Path) -> Path:
    return folder / "events.db"
