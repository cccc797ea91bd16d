"""What the core calls: the hooks of `type: sql`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_brokers.plugin import Event, ReceivedEvent, hookimpl
from event_brokers_sql import consumer
from event_brokers_sql.connection import Connection
from event_brokers_sql.inspection import inspect
from event_brokers_sql.options import SQLOptions


@hookimpl
def connect(options: SQLOptions, used: set[str]) -> Connection:
    """Connect to the database, and make the table where it is missing and always was."""
    return Connection(options, used)


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Insert the batch in one transaction."""
    connection.publish(events)


@hookimpl
def close(connection: Connection) -> None:
    """Give the database connection back."""
    connection.close()


@hookimpl(specname="options")
def options_class() -> type[SQLOptions]:
    """Return the options class."""
    return SQLOptions


@hookimpl
def check(options: SQLOptions) -> Sequence[str]:
    """Look at the database and the table, and change nothing."""
    return inspect(options)


@hookimpl
def consume(
    options: SQLOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Read the table in the order of its ids."""
    return consumer.consume(options, group, from_start, used)
