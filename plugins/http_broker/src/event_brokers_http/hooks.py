"""What the core calls: the hooks of `type: http`.

urllib3 is imported with the first connection: as it is imported it looks for IPv6 by a socket.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from event_brokers import Event, hookimpl
from event_brokers_http.options import HTTPOptions

if TYPE_CHECKING:
    from event_brokers_http.connection import Connection


@hookimpl
def connect(options: HTTPOptions) -> Connection:
    """Connect, and hear from the server by a request that changes nothing."""
    from event_brokers_http.connection import Connection  # noqa: PLC0415 - see above

    return Connection(options)


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Send the events in order, and wait for the answer to every request."""
    connection.publish(events)


@hookimpl
def close(connection: Connection) -> None:
    """Close the socket, and end the thread that watches over its deadline."""
    connection.close()


@hookimpl(specname="options")
def options_class() -> type[HTTPOptions]:
    """Return the options class."""
    return HTTPOptions


@hookimpl
def check(options: HTTPOptions) -> Sequence[str]:
    """Ask the server by a request that changes nothing."""
    from event_brokers_http.inspection import inspect  # noqa: PLC0415 - see above

    return inspect(options)
