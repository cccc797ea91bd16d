"""The consuming side: reads the stream, as one of the consumers of a group, or on its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import redis

from event_brokers import ReceivedEvent
from event_brokers.plugin.receiving import receive
from event_brokers_redis.publishing import Connection

TURN_MS = 500
LEFT_MS = 60_000  # after which an event in the hand of a consumer that was killed comes again
Batches = Iterator[list[tuple[bytes, ReceivedEvent]]]


def read(
    connection: Connection, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield the events; see the hook `consume`."""
    client, stream = connection.client, connection.options.stream
    last = b"0" if from_start else client.xinfo_stream(stream)["last-generated-id"]
    if group is None:
        return receive(follow(client, stream, last))
    with suppress(redis.ResponseError):  # the group is there already
        client.xgroup_create(stream, group, last)
    return receive(
        take(client, stream, group),
        acknowledge=lambda entry: client.xack(stream, group, entry),
        give_back=lambda entry: client.xclaim(
            stream, group, group, 0, [entry], idle=LEFT_MS, justid=True
        ),
    )


def follow(client: Any, stream: str, last: bytes) -> Batches:
    """Yield what comes behind the last entry."""
    while True:
        batch = events_of(stream, client.xread({stream: last}, count=100, block=TURN_MS))
        yield batch
        last = batch[-1][0] if batch else last


def take(client: Any, stream: str, group: str) -> Batches:
    """Yield what a consumer of the group has left behind, or else what is new to the group."""
    while True:
        left = client.xautoclaim(stream, group, group, LEFT_MS, count=1)[1]
        new = [] if left else client.xreadgroup(group, group, {stream: ">"}, 1, TURN_MS)
        yield events_of(stream, [(stream, left)] if left else new)


def events_of(stream: str, found: Any) -> list[tuple[bytes, ReceivedEvent]]:
    """Return each entry of an answer with the event that it holds."""
    return [
        (entry, event_of(f"stream '{stream}', entry {entry.decode()}", fields))
        for _, entries in found
        for entry, fields in entries
    ]


def event_of(origin: str, fields: dict[bytes, bytes]) -> ReceivedEvent:
    """Return the event that an entry holds, also one that somebody else has put there."""
    body = fields.pop(b"body", b"")
    headers = {
        name.decode(errors="replace").removeprefix("header:"): text.decode(errors="replace")
        for name, text in fields.items()
    }
    return ReceivedEvent.from_body(body, origin, headers=headers)
