"""Stores the rows of a batch, each driver in its fastest way; what is stored is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Connection, Double, Table, insert, select
from sqlalchemy.dialects import mysql, postgresql, sqlite

from event_brokers_sql.rows import Row

_ASKED_AT_ONCE = 500
_IN_A_STATEMENT = 1_024  # while PostgreSQL stores these rows, psycopg sends the next


class Storing(Protocol):
    """A way to store rows in one table."""

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        """Store rows whose events are not stored yet, in their order.

        Parameters:
            connection: in a transaction.
            rows: 1 or more.

        Raises:
            DBAPIError: the database refuses.
        """


def storing_for(connection: Connection, table: Table, columns: Sequence[str]) -> Storing:
    """Return the way to store rows through the driver of a connection.

    Parameters:
        connection: to the database.
        table: as it is in the database.
        columns: those that a row has values for, in their order.
    """
    dialect = connection.dialect.name, connection.dialect.driver
    if dialect == ("postgresql", "psycopg"):
        return _Arrays(_write_insert_of_arrays(connection, table, columns))
    if dialect == ("sqlite", "pysqlite"):
        unless_stored = "ON CONFLICT (event_id) DO NOTHING"
        return _Rows(_write_insert_of_rows(connection, table, columns, "?", unless_stored))
    if dialect in {("mysql", "pymysql"), ("mariadb", "pymysql")}:
        # not INSERT IGNORE, which would also cut values that are too long
        unless_stored = "ON DUPLICATE KEY UPDATE event_id = event_id"
        return _Rows(_write_insert_of_rows(connection, table, columns, "%s", unless_stored))
    return _Mappings(table, columns, _insert_unless_stored(table, connection.dialect.name))


class _Rows:
    """By the driver's own executemany: SQLAlchemy alone would take longer than SQLite does."""

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(self._statement, list(rows))


class _Arrays:
    """By an array for each column: PostgreSQL makes rows of them in half of the time.

    COPY would hold its lock for as long as the client takes to send the rows, whatever timeouts
    the server has been told.
    """

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        parts = [
            rows[start : start + _IN_A_STATEMENT] for start in range(0, len(rows), _IN_A_STATEMENT)
        ]
        arrays = [tuple(map(list, zip(*part, strict=True))) for part in parts]
        connection.exec_driver_sql(self._statement, arrays)


class _Mappings:
    """By SQLAlchemy, for drivers of which nothing more is known."""

    def __init__(self, table: Table, columns: Sequence[str], unless_stored: Any) -> None:
        self._table = table
        self._columns = columns
        self._unless_stored = unless_stored

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        mappings = [dict(zip(self._columns, row, strict=True)) for row in rows]
        statement = self._unless_stored
        if statement is None:
            statement = insert(self._table)
            mappings = self._select_missing(connection, mappings)
        if mappings:
            connection.execute(statement, mappings)

    def _select_missing(
        self, connection: Connection, rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Return the rows whose events are not stored yet."""
        event_id, stored = self._table.c.event_id, set[str]()
        for start in range(0, len(rows), _ASKED_AT_ONCE):
            ids = [row["event_id"] for row in rows[start : start + _ASKED_AT_ONCE]]
            stored.update(connection.scalars(select(event_id).where(event_id.in_(ids))))
        return [row for row in rows if row["event_id"] not in stored]


def _write_insert_of_rows(
    connection: Connection, table: Table, columns: Sequence[str], mark: str, unless_stored: str
) -> str:
    """Return the statement that takes a row as its parameters.

    Parameters:
        connection: to the database.
        table: to store in.
        columns: of a row.
        mark: stands for a parameter.
        unless_stored: the clause that leaves stored events alone.
    """
    marks = ", ".join([mark] * len(columns))
    target = _write_target(connection, table, columns)
    return f"INSERT INTO {target} VALUES ({marks}) {unless_stored}"


def _write_insert_of_arrays(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    """Return the statement that takes an array for each column as its parameters."""
    # binary: as text every value would be searched for what has to be escaped
    arrays = ", ".join(
        "%b::float8[]" if isinstance(table.c[name].type, Double) else "%b::text[]"
        for name in columns
    )
    names = ", ".join(columns)
    return (
        f"INSERT INTO {_write_target(connection, table, columns)} SELECT {names} "
        f"FROM unnest({arrays}) WITH ORDINALITY AS arrived ({names}, place) ORDER BY place "
        "ON CONFLICT (event_id) DO NOTHING"
    )


def _write_target(connection: Connection, table: Table, columns: Sequence[str]) -> str:
    quote = connection.dialect.identifier_preparer
    return f"{quote.format_table(table)} ({', '.join(map(quote.quote, columns))})"


def _insert_unless_stored(table: Table, dialect: str) -> Any:
    """Return the insert that leaves stored events alone; None where the dialect has none."""
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect in ("mysql", "mariadb"):
        return mysql.insert(table).on_duplicate_key_update(event_id=table.c.event_id)
    return None
