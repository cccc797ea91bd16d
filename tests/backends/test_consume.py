"""Consuming from every real broker, each what the same broker's producer has published."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from servers.backends import Backend

EVENTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


@pytest.fixture(autouse=True)
def consuming(backend: Backend) -> None:
    """Skip what nobody can consume from."""
    if backend.is_endpoint:
        pytest.skip("nothing can be read back from it")


def publish(section: dict[str, Any], events: list[dict[str, Any]]) -> list[str]:
    """Publish events, wait for their confirmation and return their ids."""
    with event_brokers.connect(section) as broker:
        ids = broker.publish_many(events)
        assert broker.flush(60).pending == 0
    return ids


def test_what_was_published_is_consumed_in_order(backend: Backend) -> None:
    """Equal dictionaries, the ids they were published with, and where they stood."""
    ids = publish(backend.section, EVENTS)
    with event_brokers.consume(backend.section, from_start=True) as consumer:
        received = [next(consumer) for _ in EVENTS]
    assert [each.event for each in received] == EVENTS
    assert [each.id for each in received] == ids
    assert all(each.problem is None and each.origin for each in received)


def test_an_event_in_hand_comes_again(backend: Backend) -> None:
    """What was not acknowledged is not lost, and what was is not repeated."""
    publish(backend.section, [{"n": number} for number in range(4)])
    with event_brokers.consume(backend.section, from_start=True) as consumer:
        assert [next(consumer).event for _ in range(3)] == [{"n": 0}, {"n": 1}, {"n": 2}]
    with event_brokers.consume(backend.section, from_start=True) as consumer:
        assert [next(consumer).event for _ in range(2)] == [{"n": 2}, {"n": 3}]


def test_the_first_event_comes_again_as_well(backend: Backend) -> None:
    """A group that has acknowledged nothing has no position, or the one before it."""
    publish(backend.section, [{"n": 0}])
    for _ in range(2):
        with event_brokers.consume(backend.section, from_start=True) as consumer:
            assert next(consumer).event == {"n": 0}


def test_closing_from_another_thread_ends_a_consumer_that_waits(backend: Backend) -> None:
    """A program can end its consumer while no event comes."""
    publish(backend.section, [{}])
    consumer = event_brokers.consume(backend.section, from_start=True)
    next(consumer)
    waiting = threading.Thread(target=lambda: list(consumer))
    waiting.start()
    consumer.close()
    waiting.join(30)
    assert not waiting.is_alive()
