"""The table of events: as Rasa makes it, and the columns that this project adds."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    inspect,
    text,
)
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from event_brokers.plugin import ConfigurationError, logger
from event_brokers_sql.address import place
from event_brokers_sql.failures import may_not_alter

_LONG_TEXT = Text().with_variant(LONGTEXT(), "mysql", "mariadb")
_HEADERS = "headers"  # the one column that a table may lack
_ID_TEXT = String(255).with_variant(VARCHAR(255, collation="utf8mb4_bin"), "mysql", "mariadb")

_warned_of: set[tuple[str, str]] = set()  # place and table, without headers


def events_table(name: str) -> Table:
    """Return the table with the columns of Rasa's SQLBrokerEvent and our own.

    Parameters:
        name: the table's name.
    """
    return _events_table(name, Column(_HEADERS, _LONG_TEXT))


def exists(connection: Connection, table: Table) -> bool:
    """Return whether the database has the table."""
    return inspect(connection).has_table(table.name)


def prepare_events(connection: Connection, name: str) -> Table:
    """Make the table of events ready, and return it with the columns that it has then.

    Parameters:
        connection: to the database.
        name: the table's name.

    Raises:
        ConfigurationError: the user may not alter the table; says which statements to run.
        DBAPIError: the database refuses for another reason.
    """
    table = events_table(name)
    prepare(connection, table)
    return table if _has_headers(connection, table) else _events_table(name)


def prepare(connection: Connection, table: Table) -> None:
    """Make the table, or add what a table that Rasa made lacks; no row is lost.

    Raises:
        ConfigurationError: the user may not alter the table; says which statements to run.
        DBAPIError: the database refuses for another reason.
    """
    if not exists(connection, table):
        _create(connection, table)
    for statement in find_missing(connection, table):
        _alter(connection, table, statement)


def find_missing(connection: Connection, table: Table) -> list[str]:
    """Return the statements that a table which exists already still needs."""
    return _find_needed(connection, table) + _find_wished_for(connection, table)


def write_creation(connection: Connection, table: Table) -> str:
    """Return the statement that makes the table, in one line."""
    return " ".join(str(CreateTable(table).compile(dialect=connection.dialect)).split())


def holds_unicode(connection: Connection, table: Table) -> bool:
    """Return whether the column `data` takes every character; an old table may be latin1."""
    if connection.dialect.name == "postgresql":
        return bool(connection.execute(text("SHOW server_encoding")).scalar_one() == "UTF8")
    if connection.dialect.name not in ("mysql", "mariadb"):
        return True
    charset = connection.execute(
        text(
            "SELECT character_set_name FROM information_schema.columns WHERE "
            "table_schema = DATABASE() AND table_name = :table AND column_name = 'data'"
        ),
        {"table": table.name},
    )
    return charset.scalar() == "utf8mb4"


def _events_table(name: str, *more: Column[Any]) -> Table:
    return Table(
        name,
        MetaData(),
        Column(
            "id",
            BigInteger().with_variant(Integer(), "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        Column("sender_id", _LONG_TEXT),
        Column("data", _LONG_TEXT),
        Column("event_id", _ID_TEXT),
        Column("type_name", _LONG_TEXT),
        Column("timestamp", Double()),
        *more,
        Index(f"{name}_event_id", "event_id", unique=True),
        mysql_charset="utf8mb4",
        mariadb_charset="utf8mb4",
    )


def _find_needed(connection: Connection, table: Table) -> list[str]:
    """Return the statements without which nothing can be stored."""
    columns = [each for each in _find_missing_columns(connection, table) if each.name != _HEADERS]
    statements = [_write_addition(connection, table, column) for column in columns]
    if not _has_unique_event_id(connection, table):
        statements += [
            str(CreateIndex(index).compile(dialect=connection.dialect)) for index in table.indexes
        ]
    return statements


def _find_wished_for(connection: Connection, table: Table) -> list[str]:
    """Return the statements without which headers alone are not stored."""
    columns = [each for each in _find_missing_columns(connection, table) if each.name == _HEADERS]
    return [_write_addition(connection, table, column) for column in columns]


def _find_missing_columns(connection: Connection, table: Table) -> list[Column[Any]]:
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    return [column for column in table.columns if column.name not in present]


def _write_addition(connection: Connection, table: Table, column: Column[Any]) -> str:
    name = connection.dialect.identifier_preparer.format_table(table)
    added = CreateColumn(column).compile(dialect=connection.dialect)
    return f"ALTER TABLE {name} ADD COLUMN {added}"


def _has_headers(connection: Connection, table: Table) -> bool:
    """Return whether the table has headers; warns once where it has none."""
    statements = _find_wished_for(connection, table)
    where = (place(connection.engine.url), table.name)
    if statements and where not in _warned_of:
        _warned_of.add(where)
        logger.warning(
            "sql: table '%s' has no column 'headers' and the user may not add it: headers are "
            "not stored; run as its owner: %s",
            table.name,
            statements[0],
        )
    return not statements


def _has_unique_event_id(connection: Connection, table: Table) -> bool:
    inspector = inspect(connection)
    unique: list[object] = [
        index["column_names"] for index in inspector.get_indexes(table.name) if index["unique"]
    ]
    unique += [found["column_names"] for found in inspector.get_unique_constraints(table.name)]
    return ["event_id"] in unique


def _create(connection: Connection, table: Table) -> None:
    connection.rollback()
    try:
        with connection.begin():
            table.create(connection)
    except DBAPIError as error:
        if exists(connection, table):
            return  # another process was faster
        if not may_not_alter(error):
            raise
        raise ConfigurationError(
            f"event_broker.table: '{table.name}' is missing and the user may not make it; "
            f"run as an owner: {write_creation(connection, table)}"
        ) from None


def _alter(connection: Connection, table: Table, statement: str) -> None:
    connection.rollback()
    try:
        with connection.begin():
            connection.execute(text(statement))
    except DBAPIError as error:
        still_missing = find_missing(connection, table)
        if statement not in still_missing:
            return  # another process was faster
        if not may_not_alter(error):
            raise
        if not _find_needed(connection, table):
            return  # without headers it can be used all the same
        raise ConfigurationError(
            f"event_broker.table: '{table.name}' lacks columns and the user may not add them; "
            f"run as its owner: {'; '.join(still_missing)}"
        ) from None
