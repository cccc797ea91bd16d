"""One connection to the database, and the transaction that stores a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy
from sqlalchemy import Table, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from event_brokers.plugin import Event
from event_brokers_sql import schema
from event_brokers_sql.engine import Database
from event_brokers_sql.options import SQLOptions
from event_brokers_sql.packet import largest_statement, refuse_too_large
from event_brokers_sql.rows import RowMaker
from event_brokers_sql.used_tables import prepare_table, require_file

_ASKED_AT_ONCE = 500


class Connection:
    """A database whose table of events is ready.

    Parameters:
        options: the options of `type: sql`.
        used: the tables that earlier connections stored events in; gains this one.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the database cannot be reached now.
    """

    def __init__(self, options: SQLOptions, used: set[str]) -> None:
        self._database = Database(options)
        require_file(self._database.url, options.table, used)
        try:
            with self._database.session() as connection:
                self._table = prepare_table(connection, options.table, used)
                self._largest = largest_statement(connection)
                unicode = schema.holds_unicode(connection, self._table)
                self._rows = RowMaker(self._table, unicode)
        except BaseException:
            self._database.close()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Store a batch in one transaction; what is stored already is left as it is.

        Raises:
            RejectedEvents: the database refuses a value, or an event is too large; nothing of
                the batch was stored.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not stored, or not known.
        """
        rows = [self._rows.make(event) for event in events]
        refuse_too_large(rows, self._largest)
        with self._database.transaction() as connection:
            statement = _insert_unless_stored(self._table, connection.dialect.name)
            if statement is None:
                rows = _select_missing(connection, self._table, rows)
                statement = sqlalchemy.insert(self._table)
            if rows:
                connection.execute(statement, rows)

    def close(self) -> None:
        """Release the connection to the database."""
        self._database.close()


def _insert_unless_stored(table: Table, dialect: str) -> Any:
    """Return the insert that leaves stored events alone; None where the dialect has none."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect in ("mysql", "mariadb"):
        # not INSERT IGNORE, which would also cut values that are too long
        return mysql.insert(table).on_duplicate_key_update(event_id=table.c.event_id)
    return None


def _select_missing(
    connection: sqlalchemy.Connection, table: Table, rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows whose events are not stored yet."""
    stored: set[str] = set()
    for start in range(0, len(rows), _ASKED_AT_ONCE):
        ids = [row["event_id"] for row in rows[start : start + _ASKED_AT_ONCE]]
        stored.update(connection.scalars(select(table.c.event_id).where(table.c.event_id.in_(ids))))
    return [row for row in rows if row["event_id"] not in stored]
