"""What the core calls: the hooks of `type: kafka`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from event_brokers import Event, ReceivedEvent, hookimpl
from event_brokers_kafka import consumer
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.inspection import inspect
from event_brokers_kafka.options import KafkaOptions


@hookimpl
def connect(options: KafkaOptions, used: set[str]) -> Connection:
    """Sign in, make sure of the topic, and return a producer that is ready."""
    return Connection(options, used)


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Send the batch and wait until every in-sync replica has every event."""
    connection.publish(events)


@hookimpl
def close(connection: Connection) -> None:
    """Release the producer's thread and sockets."""
    connection.close()


@hookimpl(specname="options")
def options_class() -> type[KafkaOptions]:
    """Return the options class."""
    return KafkaOptions


@hookimpl
def check(options: KafkaOptions) -> Sequence[str]:
    """Sign in, look for the topic, change nothing."""
    return inspect(options)


@hookimpl
def consume(
    options: KafkaOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Read the topic, as a member of a consumer group."""
    return consumer.consume(options, group, from_start, used)
