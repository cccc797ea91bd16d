"""Reads the stream: as one of the consumers of a group, or on its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import redis

from event_brokers import ReceivedEvent
from event_brokers.plugin.receiving import receive

TURN_MS = 500
LEFT_MS = 60_000  # after which an event in the hand of a consumer that was killed comes again
Batches = Iterator[list[tuple[bytes, ReceivedEvent]]]


def read(
    client: redis.Redis, stream: str, group: str | None, from_start: bool
) -> Iterator[ReceivedEvent | None]:
    """Yield the events; see the hook `consume`."""
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


def follow(client: redis.Redis, stream: str, last: bytes) -> Batches:
    """Yield what comes behind the last entry."""
    while True:
        entries = of_one_stream(client.xread({stream: last}, count=100, block=TURN_MS))
        yield events_of(stream, entries)
        last = entries[-1][0] if entries else last


def take(client: redis.Redis, stream: str, group: str) -> Batches:
    """Yield what a consumer of the group has left behind, or else what is new to the group."""
    new: Any = {stream: ">"}
    while True:
        left = client.xautoclaim(stream, group, group, LEFT_MS, count=1)[1]
        entries = left or of_one_stream(client.xreadgroup(group, group, new, 1, TURN_MS))
        yield events_of(stream, entries)


def of_one_stream(found: Any) -> Any:
    """Return the entries of an answer that could hold several streams."""
    return found[0][1] if found else []


def events_of(stream: str, entries: Any) -> list[tuple[bytes, ReceivedEvent]]:
    """Return each entry with the event that it holds."""
    return [(entry, event_of(stream, entry, fields)) for entry, fields in entries]


def event_of(stream: str, entry: bytes, fields: dict[bytes, bytes]) -> ReceivedEvent:
    """Return the event that an entry holds, also one that somebody else has put there."""
    body = fields.pop(b"body", b"")
    texts = {
        name.decode(errors="replace"): each.decode(errors="replace")
        for name, each in fields.items()
    }
    headers = {name.removeprefix("header:"): text for name, text in texts.items()}
    origin = f"stream '{stream}', entry {entry.decode()}"
    return ReceivedEvent.from_body(body, origin, headers.get("event_id"), headers)
