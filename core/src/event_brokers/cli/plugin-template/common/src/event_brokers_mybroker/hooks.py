"""What the core calls: the hooks of `type: mybroker`."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers import Event, hookimpl

from event_brokers_mybroker.connection import Connection, inspect
from event_brokers_mybroker.options import BrokerOptions


@hookimpl(specname="options")
def options_class() -> type[BrokerOptions]:
    """Return the options class."""
    return BrokerOptions


@hookimpl
def connect(options: BrokerOptions, used: set[str]) -> Connection:
    """Sign in, make sure of the queue, and return a connection that is ready."""
    return Connection(options, used)


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Send the batch, and wait until the server has confirmed every event."""
    connection.publish(events)


@hookimpl
def close(connection: Connection) -> None:
    """Release the connection."""
    connection.close()


@hookimpl
def check(options: BrokerOptions) -> Sequence[str]:
    """Sign in, look for the queue, change nothing."""
    return inspect(options)
