"""Makes a table of events ready; one that was used before and is gone is never made anew."""

from __future__ import annotations

from sqlalchemy import URL, Connection, Table

from event_brokers.plugin import ConfigurationError
from event_brokers_sql import schema
from event_brokers_sql.address import database_file, is_in_memory, place

_FORGET = "forget it: event-brokers spool forget-places, or a restart where there is no spool"


def require_file(url: URL, name: str, used: set[str]) -> None:
    """Refuse to make an SQLite file anew; call it before anything is opened.

    Parameters:
        url: of the database.
        name: of the table.
        used: what was used before.

    Raises:
        ConfigurationError: the table was used before, and its file is gone.
    """
    file = database_file(url)
    if file is not None and _place_of(url, name) in used and not file.exists():
        raise ConfigurationError(
            f"event_broker.db: the file '{file}' was used before and is gone; bring it back, or, "
            f"to go on without what it held, {_FORGET}"
        )


def prepare_table(connection: Connection, name: str, used: set[str]) -> Table:
    """Make the table of events ready, and return it with the columns that it has then.

    Parameters:
        connection: to the database.
        name: of the table.
        used: what was used before; gains the table.

    Raises:
        ConfigurationError: it was used before and is gone, or the user may not alter it.
        DBAPIError: the database refuses for another reason.
    """
    url = connection.engine.url
    if _place_of(url, name) in used:
        _require_table(connection, name)
    table = schema.prepare_events(connection, name)
    if not is_in_memory(url):
        used.add(_place_of(url, name))
    return table


def _require_table(connection: Connection, name: str) -> None:
    table = schema.events_table(name)
    if schema.exists(connection, table):
        return
    statement = schema.write_creation(connection, table)
    raise ConfigurationError(
        f"event_broker.table: '{name}' was used before and is gone; bring it back, or, to go "
        f"on without what it held, {_FORGET}, or make an empty one: {statement}"
    )


def _place_of(url: URL, table: str) -> str:
    """Return what is remembered of a table: the same name elsewhere is another table."""
    is_file = url.get_backend_name() == "sqlite"
    return f"table '{table}' in " + (place(url) if is_file else f"'{url.database}' at {place(url)}")
