"""What the core calls: the hooks of `type: pika`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_brokers import Event, ReceivedEvent, hookimpl
from event_brokers_pika.connection import Connection
from event_brokers_pika.consumer import received
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.topology import look, prepare


@hookimpl
def connect(options: PikaOptions) -> Connection:
    """Connect to RabbitMQ, and make the queues where they are missing."""
    prepare(options, options.queues)
    return Connection(options)


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Publish the batch, and wait for the last confirm."""
    connection.publish(events)


@hookimpl
def close(connection: Connection) -> None:
    """Close the connection and end its thread."""
    connection.close()


@hookimpl(specname="options")
def options_class() -> type[PikaOptions]:
    """Return the options class."""
    return PikaOptions


@hookimpl
def check(options: PikaOptions) -> Sequence[str]:
    """Look at RabbitMQ and the queues, and change nothing."""
    return look(options)


@hookimpl
def consume(
    options: PikaOptions, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield what arrives in the queue of the group, and acknowledge it."""
    return received(options, group, from_start)
