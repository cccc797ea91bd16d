"""A full queue in memory refuses at once, however much waits: an event loop may be waiting."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from event_brokers import EventBroker, QueueFull
from event_brokers.testing import MemoryBroker

TRIES = 50


@contextmanager
def full(count: int) -> Iterator[EventBroker]:
    """Hand out a broker that is full.

    Parameters:
        count: events that wait.
    """
    memory = MemoryBroker()
    memory.hang()  # nothing leaves
    broker = memory.start(max_pending=count)
    broker.publish({}, event_id="first")
    broker.publish_many([{}] * (count - 1))
    try:
        yield broker
    finally:
        memory.answer()
        assert broker.close(120).delivered == count


def work_of_refusing(broker: EventBroker) -> float:
    """Return the processor time that one refusal takes at the least, in seconds.

    The work is one call into C, in which nothing can be counted. Time in which other threads and
    programs run is no part of it.
    """
    times = []
    for _ in range(TRIES):
        started = time.thread_time()
        with pytest.raises(QueueFull):
            broker.publish({})
        times.append(time.thread_time() - started)
    return min(times)


def test_refusing_does_not_depend_on_how_many_events_wait() -> None:
    """The work is the same at 1,000 and at 100,000; a look at each would be a hundredfold."""
    with full(1_000) as broker:
        expected = work_of_refusing(broker)
    with full(100_000) as broker:
        assert work_of_refusing(broker) < 10 * expected


def test_an_event_that_waits_already_needs_no_room() -> None:
    """Its id is found, and not counted twice, although the queue is full."""
    with full(1_000) as broker:
        broker.publish({}, event_id="first")
        assert broker.status().accepted == 1_000
