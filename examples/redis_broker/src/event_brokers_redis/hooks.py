"""What the core calls: the hooks of `type: redis`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import redis

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    ReceivedEvent,
    RejectedEvents,
    hookimpl,
)
from event_brokers.plugin import server
from event_brokers_redis.client import ask_largest, explaining, open_client
from event_brokers_redis.consumer import read
from event_brokers_redis.options import RedisOptions

Connection = tuple[redis.Redis, RedisOptions, int]


@hookimpl(specname="options")
def options_class() -> type[RedisOptions]:
    """Return the options class."""
    return RedisOptions


@hookimpl
def connect(options: RedisOptions, used: set[str]) -> Connection:
    """Sign in, and make the stream where it is missing and always was."""
    client = open_client(options)
    with explaining(options):
        kind = client.type(options.stream)
        if kind == b"none":
            server.refuse_to_make_again("stream", options.stream, used)
            client.xgroup_create(options.stream, "new", mkstream=True)
            client.xgroup_destroy(options.stream, "new")
        elif kind != b"stream":
            raise ConfigurationError("event_broker.stream: is the key of no stream; name another")
        largest = ask_largest(client)
    used.add(options.stream)
    return client, options, largest


@hookimpl
def publish(connection: Connection, events: Sequence[Event]) -> None:
    """Add all of the events in one transaction, or none of them."""
    client, options, largest = connection
    if too_large := [event.id for event in events if len(event.body) > largest]:
        raise RejectedEvents(dict.fromkeys(too_large, f"larger than {largest} bytes"))
    transaction = client.pipeline()
    for event in events:
        entry: Any = {f"header:{name}": text for name, text in event.headers.items()}
        entry["body"] = event.body
        transaction.xadd(options.stream, entry, maxlen=options.max_length or None, nomkstream=True)
    with explaining(options):
        if None in transaction.execute():
            raise BrokerUnavailable(f"the stream '{options.stream}' is missing")


@hookimpl
def close(connection: Connection) -> None:
    """Close the socket."""
    connection[0].close()


@hookimpl
def check(options: RedisOptions) -> Sequence[str]:
    """Sign in and look for the stream."""
    with open_client(options) as client, explaining(options):
        is_there = client.exists(options.stream)
    return server.describe(options, f"stream '{options.stream}'", bool(is_there))


@hookimpl
def consume(
    options: RedisOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Read the stream, as one of a group's consumers or on its own."""
    client, *_ = connect(options, used)
    with client, explaining(options):
        yield from read(client, options.stream, group, from_start)
