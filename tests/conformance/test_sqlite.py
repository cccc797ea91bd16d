"""`type: sql` with SQLite holds the contract."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from event_brokers.testing import Arrived, Conformance

QUERY = "SELECT data, event_id, type_name, headers FROM {table} ORDER BY id"


def arrived(row: tuple[Any, ...]) -> Arrived:
    """Return the event that a row of the table holds."""
    data, event_id, type_name, headers = row
    given = json.loads(headers) if headers else {}
    return Arrived(data.encode(), event_id, {**given, "event_type": type_name})


class TestSQLite(Conformance):
    """A table in a file."""

    type = "sql"
    stores_once = True

    def options(self) -> dict[str, Any]:
        """Return a file of the test's own."""
        return {"dialect": "sqlite", "db": str(self._file())}

    def arrived(self) -> list[Arrived]:
        """Return the rows."""
        with closing(sqlite3.connect(self._file())) as connection:
            return [arrived(row) for row in connection.execute(QUERY.format(table="events"))]

    def place_exists(self) -> bool:
        """Return whether the file is there."""
        return self._file().exists()

    def freeze_server(self) -> None:
        """Lock the file, as a program does that hangs while it writes."""
        self._other = sqlite3.connect(self._file(), isolation_level=None)
        self._other.execute("BEGIN EXCLUSIVE")

    def thaw_server(self) -> None:
        """Let go of the file."""
        self._other.close()

    def put(self, body: bytes) -> None:
        """Insert a row."""
        self.subject.connect(self.options()).close()
        with closing(sqlite3.connect(self._file(), isolation_level=None)) as connection:
            connection.execute("INSERT INTO events (data) VALUES (?)", (body.decode("latin-1"),))

    def _file(self) -> Path:
        return self.folder / "events.db"
