"""A full queue in memory refuses at once, however much waits: an event loop may be waiting."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from event_brokers import EventBroker, QueueFull
from scripted_broker import ScriptedBroker


class CountedId(str):
    """An id that knows how often any id was looked at, which each search in a dictionary does."""

    __slots__ = ()
    looks = 0

    def __hash__(self) -> int:
        CountedId.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        CountedId.looks += 1
        return super().__eq__(other)


@contextmanager
def full(count: int) -> Iterator[EventBroker]:
    """Hand out a broker that is full.

    Parameters:
        count: events that wait.
    """
    scripted = ScriptedBroker()
    scripted.gate.clear()  # nothing leaves
    broker = scripted.start(max_pending=count)
    for number in range(count):
        broker.publish({}, event_id=CountedId(f"e{number}"))
    try:
        yield broker
    finally:
        scripted.gate.set()
        assert broker.close(120).delivered == count


def work_of_refusing(broker: EventBroker) -> tuple[int, int]:
    """Return how many ids were looked at, and how many lines of Python ran, for one refusal."""
    lines = 0

    def count_lines(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001 - settrace
        nonlocal lines
        lines += event == "line"
        return count_lines

    CountedId.looks = 0
    sys.settrace(count_lines)
    try:
        with pytest.raises(QueueFull):
            broker.publish({}, event_id=CountedId("one more"))
    finally:
        sys.settrace(None)
    return CountedId.looks, lines


def test_refusing_does_not_depend_on_how_many_events_wait() -> None:
    """The same work at 1,000 and at 100,000; today's tests of speed are elsewhere."""
    with full(1_000) as broker:
        assert CountedId.looks >= 1_000, "the queue looks for events by their ids"
        expected = work_of_refusing(broker)
    with full(100_000) as broker:
        assert work_of_refusing(broker) == expected


def test_an_event_that_waits_already_needs_no_room() -> None:
    """Its id is found, and not counted twice, although the queue is full."""
    with full(1_000) as broker:
        CountedId.looks = 0
        broker.publish({}, event_id=CountedId("e500"))
        assert CountedId.looks < 100
        assert broker.status().accepted == 1_000
