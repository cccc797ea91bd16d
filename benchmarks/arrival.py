"""Holds what has arrived against what was sent: a figure counts for nothing where it differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec


class NotAsSent(Exception):
    """Something is missing, has come twice, or has overtaken its conversation; says what."""


class Numbered(msgspec.Struct):
    """What of an event is looked at."""

    sender_id: str
    number: int


_read = msgspec.json.Decoder(Numbered).decode


def read(bodies: Iterable[bytes | str]) -> Iterator[Numbered]:
    """Yield what is looked at of each body."""
    return map(_read, bodies)


def drop_repeats(events: Iterable[Numbered]) -> Iterator[Numbered]:
    """Yield events without those that come again, where a broker may have had them twice."""
    seen: set[int] = set()
    for event in events:
        if event.number not in seen:
            seen.add(event.number)
            yield event


def check(events: Iterable[Numbered], sent: int) -> None:
    """Hold what has arrived, in its order, against the numbers 0 to `sent` - 1.

    Parameters:
        events: as they have arrived.
        sent: how many were sent.

    Raises:
        NotAsSent: something is missing, comes twice, or not in its conversation's order.
    """
    seen: set[int] = set()
    latest: dict[str, int] = {}
    for event in events:
        if event.number in seen:
            raise NotAsSent(f"event {event.number} has arrived twice")
        if event.number < latest.get(event.sender_id, -1):
            raise NotAsSent(f"event {event.number} has arrived behind a later one of its sender")
        latest[event.sender_id] = event.number
        seen.add(event.number)
    if missing := set(range(sent)) - seen:
        raise NotAsSent(f"{len(missing)} of {sent} events are missing, {len(seen)} have arrived")
    if len(seen) > sent:
        raise NotAsSent(f"{len(seen)} events have arrived, {sent} were sent")


def count(bodies: Iterable[object], sent: int) -> None:
    """Hold the number of what has arrived, where it carries no numbers, against what was sent.

    Raises:
        NotAsSent: fewer have arrived, or more.
    """
    arrived = sum(1 for _ in bodies)
    if arrived != sent:
        raise NotAsSent(f"{arrived} of {sent} events have arrived")
