"""What the core calls: the hooks of `type: nats`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

from nats.js.api import PubAck

from event_brokers import BrokerUnavailable, Event, ReceivedEvent, RejectedEvents, hookimpl
from event_brokers.plugin.server import describe, refuse_to_make_again
from event_brokers_nats.connection import Connection
from event_brokers_nats.consumer import read
from event_brokers_nats.message import size_of
from event_brokers_nats.options import NatsOptions

TOO_LARGE = 10054  # JetStream's code for more than the stream's max_msg_size


@hookimpl(specname="options")
def options_class() -> type[NatsOptions]:
    """Return the options class."""
    return NatsOptions


@hookimpl
def connect(options: NatsOptions, used: set[str]) -> Connection:
    """Sign in, and make the stream where it is missing and always was."""
    connection = Connection(options)
    try:
        if not connection.run(connection.find_stream()):
            refuse_to_make_again("stream", options.stream, used)
            connection.run(connection.make_stream())
    except BaseException:
        connection.close()
        raise
    used.add(options.stream)
    return connection


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Send the events, and return when JetStream has acknowledged every one."""
    most = connection.client.max_payload
    if too_large := [event.id for event in events if size_of(event) > most]:
        raise RejectedEvents(dict.fromkeys(too_large, f"more than max_payload of {most} bytes"))
    answers = connection.run(connection.send(events))
    failed = {name: each for name, each in answers.items() if not isinstance(each, PubAck)}
    confirmed = answers.keys() - failed
    refused = [name for name, each in failed.items() if getattr(each, "err_code", 0) == TOO_LARGE]
    if refused:
        raise RejectedEvents(
            dict.fromkeys(refused, "more than the stream takes"), confirmed=confirmed
        )
    if failed:
        raise BrokerUnavailable(f"not stored: {next(iter(failed.values()))}", confirmed)


@hookimpl
def close(connection: Connection) -> None:
    """Close the client, and end its loop."""
    connection.close()


@hookimpl
def check(options: NatsOptions) -> Sequence[str]:
    """Sign in and look for the stream."""
    with closing(Connection(options)) as connection:
        is_there = connection.run(connection.find_stream())
    return describe(options, f"stream '{options.stream}'", is_there)


@hookimpl
def consume(
    options: NatsOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Read the stream, as one of a group's consumers or on its own."""
    with closing(connect(options, used)) as connection:
        yield from read(connection, group, from_start)
