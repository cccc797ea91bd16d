"""What the core calls: the hooks of `type: pika`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_brokers import Event, ReceivedEvent, hookimpl
from event_brokers_pika import consumer
from event_brokers_pika.connection import Connection
from event_brokers_pika.inspection import inspect
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.session import open_session
from event_brokers_pika.topology import prepare


@hookimpl
def connect(options: PikaOptions, used: set[str]) -> Connection:
    """Connect to RabbitMQ, and make the queues where they are missing and may be made."""
    with open_session(options) as session:
        places = prepare(session, options, options.queue_names, used)
    return Connection(options, used, places)


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
    return inspect(options)


@hookimpl
def consume(
    options: PikaOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Yield what arrives in the queue of the group, and acknowledge it."""
    return consumer.consume(options, group, from_start, used)
