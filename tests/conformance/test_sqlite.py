"""`type: sql` with SQLite holds the contract."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from conformance.tables import COLUMNS, REFUSED, arrived
from event_brokers.testing import Arrived, Conformance

QUERY = f"SELECT {COLUMNS} FROM events ORDER BY id"


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
            return [arrived(row) for row in connection.execute(QUERY)]

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

    def refused_event(self) -> dict[str, Any]:
        """Let the table refuse a word, and return an event with it."""
        self.subject.connect(self.options()).end()
        with closing(sqlite3.connect(self._file(), isolation_level=None)) as connection:
            connection.execute(
                f"CREATE TRIGGER refuse BEFORE INSERT ON events WHEN NEW.data LIKE '%{REFUSED}%' "
                "BEGIN SELECT RAISE(ABORT, 'refused'); END"
            )
        return {"text": REFUSED}

    def put(self, body: bytes) -> None:
        """Insert a row."""
        self.subject.connect(self.options()).end()
        with closing(sqlite3.connect(self._file(), isolation_level=None)) as connection:
            connection.execute("INSERT INTO events (data) VALUES (?)", (body.decode(),))

    def _file(self) -> Path:
        return self.folder / "events.db"
