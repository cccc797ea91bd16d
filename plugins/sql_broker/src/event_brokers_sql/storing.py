"""Stores the rows of a batch, each driver in its fastest way; what is stored is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any, Protocol

from sqlalchemy import Connection, Double, Table, insert, select
from sqlalchemy.dialects import mysql, sqlite

from event_brokers_sql.rows import Row

_ASKED_AT_ONCE = 500
# rows of a statement
_TO_POSTGRESQL = 1_024  # while it stores them, psycopg sends the next
_TO_SQLITE = 128  # with 999 values at most: https://www.sqlite.org/limits.html, before 3.32
_TO_PYMYSQL = 1  # it puts them together itself


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
    target = _write_target(connection, table, columns)
    if dialect == ("sqlite", "pysqlite"):
        row = _write_row("?", columns)
        return _Rows(target, row, "ON CONFLICT (event_id) DO NOTHING", _TO_SQLITE)
    if dialect in {("mysql", "pymysql"), ("mariadb", "pymysql")}:
        row = _write_row("%s", columns)
        # not INSERT IGNORE, which would also cut values that are too long
        return _Rows(target, row, "ON DUPLICATE KEY UPDATE event_id = event_id", _TO_PYMYSQL)
    return _Mappings(table, columns, _insert_unless_stored(table, connection.dialect.name))


class _Rows:
    """By the driver's own executemany: SQLAlchemy alone would take longer than SQLite does.

    Parameters:
        target: the table and its columns.
        row: marks for the values of one row.
        unless_stored: the clause that leaves stored events alone.
        together: rows of a statement, but for the last of a batch.
    """

    def __init__(self, target: str, row: str, unless_stored: str, together: int) -> None:
        self._together = together
        self._several = f"INSERT INTO {target} VALUES {', '.join([row] * together)} {unless_stored}"
        self._single = f"INSERT INTO {target} VALUES {row} {unless_stored}"

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        parts = _split(rows, self._together)
        last = [] if len(parts[-1]) == self._together else parts.pop()
        if parts:
            connection.exec_driver_sql(
                self._several, [tuple(chain.from_iterable(part)) for part in parts]
            )
        if last:
            connection.exec_driver_sql(self._single, list(last))


class _Arrays:
    """By an array for each column: PostgreSQL makes rows of them in half of the time.

    COPY would hold its lock for as long as the client takes to send the rows, whatever timeouts
    the server has been told.
    """

    def __init__(self, statement: str) -> None:
        self._statement = statement

    def store(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(
            self._statement,
            [tuple(map(list, zip(*part, strict=True))) for part in _split(rows, _TO_POSTGRESQL)],
        )


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


def _split(rows: Sequence[Row], size: int) -> list[Sequence[Row]]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _write_row(mark: str, columns: Sequence[str]) -> str:
    return f"({', '.join([mark] * len(columns))})"


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
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - it takes a while

        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing(index_elements=["event_id"])
    if dialect in ("mysql", "mariadb"):
        return mysql.insert(table).on_duplicate_key_update(event_id=table.c.event_id)
    return None
