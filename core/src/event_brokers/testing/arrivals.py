"""Holds what has arrived at the broker against what was published."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from event_brokers.event import Event
from event_brokers.testing.answers import Arrived

_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Found:
    """An event that was published, as it has arrived."""

    event: Event
    arrived: Arrived


def find(events: Sequence[Event], arrived: Iterable[Arrived]) -> list[Found]:
    """Return what has arrived of the events, in the order in which it did.

    An event is known by its id, or else by its body: so a plugin that changes one of them has
    not lost the event.

    Parameters:
        events: that were published, each with another body.
        arrived: as read from the broker; may hold what is none of them.
    """
    by_id = {event.id: event for event in events}
    by_body = {event.body: event for event in events}
    found = ((by_id.get(each.id or "") or by_body.get(each.body), each) for each in arrived)
    return [Found(event, each) for event, each in found if event is not None]


def missing(events: Sequence[Event], found: Iterable[Found]) -> list[Event]:
    """Return the events that have not arrived."""
    present = {each.event.id for each in found}
    return [event for event in events if event.id not in present]


def await_arrival(
    read: Callable[[], Sequence[Arrived]], events: Sequence[Event], seconds: float
) -> list[Found]:
    """Return what has arrived of the events, when all of them have or the time is over.

    Parameters:
        read: returns what has arrived so far.
        events: that were published.
        seconds: to wait for all of them.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = find(events, read())
        if not missing(events, found) or time.monotonic() > deadline:
            return found
        time.sleep(_POLL_SECONDS)


def first_occurrences(found: Iterable[Found]) -> list[str]:
    """Return the ids of the events in the order in which each arrived first."""
    return list(dict.fromkeys(each.event.id for each in found))


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether a condition has come true in time.

    Parameters:
        condition: asked again and again.
        seconds: to wait for it.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
