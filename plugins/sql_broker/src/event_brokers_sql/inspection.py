"""What `event-brokers check` says; looks, and changes nothing."""

from __future__ import annotations

from contextlib import closing

import sqlalchemy
from sqlalchemy import URL, Table

from event_brokers_sql import schema
from event_brokers_sql.address import database_file, place
from event_brokers_sql.encryption import is_encrypted
from event_brokers_sql.engine import Database
from event_brokers_sql.handshake import see_certificate
from event_brokers_sql.options import SQLOptions
from event_brokers_sql.tls import find_tls

_RASAS_TABLE, _RASAS_COLUMNS = "events", ("id", "sender_id", "data")


def inspect(options: SQLOptions) -> list[str]:
    """Return what was found at the database, a sentence each, and change nothing.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the database cannot be reached now.
    """
    table = schema.events_table(options.table)
    database = Database(options)
    file = database_file(database.url)
    if file is not None and not file.exists():
        missing = f"the file '{file}' is missing; it is made at the first connect"
        return [missing, _describe_destination(table)]
    tls = find_tls(options, database.url)
    with closing(database), database.session() as connection:
        if tls is not None:
            see_certificate(database.url, tls)
        return [
            _describe_server(connection, database.url),
            _describe_table(connection, table),
            _describe_destination(table),
        ]


def _describe_server(connection: sqlalchemy.Connection, url: URL) -> str:
    version = ".".join(str(part) for part in connection.dialect.server_version_info or ())
    name = {"postgresql": "PostgreSQL", "mysql": "MySQL", "mariadb": "MariaDB", "sqlite": "SQLite"}
    server = f"{name.get(connection.dialect.name, connection.dialect.name)} {version}".strip()
    if url.get_backend_name() == "sqlite":
        return f"connected to {server}, file {place(url)}"
    tls = "over TLS " if is_encrypted(_session(connection), connection.dialect.driver) else ""
    return (
        f"connected {tls}to {server} at {place(url)} as '{url.username}', database '{url.database}'"
    )


def _describe_destination(table: Table) -> str:
    # Rasa's columns are those of rasa/core/brokers/sql.py
    further = [each.name for each in table.columns if each.name not in _RASAS_COLUMNS]
    named = "" if table.name == _RASAS_TABLE else f" (Rasa's is '{_RASAS_TABLE}')"
    return (
        f"events go to table '{table.name}'{named}, into Rasa's columns {', '.join(_RASAS_COLUMNS)}"
        f" and beside them {', '.join(further)}"
    )


def _session(connection: sqlalchemy.Connection) -> object:
    return connection.connection.driver_connection


def _describe_table(connection: sqlalchemy.Connection, table: Table) -> str:
    if not schema.exists(connection, table):
        return f"table '{table.name}' is missing; it is made at the first connect"
    if schema.find_missing(connection, table):
        return f"table '{table.name}' found; the columns it lacks are added at the first connect"
    return f"table '{table.name}' found"
