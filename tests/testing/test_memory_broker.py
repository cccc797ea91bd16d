"""MemoryBroker is a real plugin: the core delivers to it, and it fails exactly as it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import ConfigurationError, UndeliveredEvents
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from waiting import wait_until

SHORT = Delays(first=0.001, first_halted=0.001, longest=0.01, hurried=0.01)
MISHAPS = st.sampled_from(["fail", "fail_to_connect", "drop_after", "confirm_then_raise"])


@pytest.fixture
def memory() -> MemoryBroker:
    """Return a broker in memory that is tried again at once."""
    return MemoryBroker(SHORT)


def test_what_is_published_arrives(memory: MemoryBroker) -> None:
    """Without a script every call succeeds."""
    with memory.start() as broker:
        ids = broker.publish_many([{"number": number} for number in range(10)])
    assert memory.ids() == ids
    assert [event.body for event in memory.arrived[:2]] == [b'{"number":0}', b'{"number":1}']
    assert (memory.open, memory.opened) == (0, 1)


def test_calls_fail_as_often_as_they_are_told_to(memory: MemoryBroker) -> None:
    """Connecting and publishing, and then no more."""
    memory.fail_to_connect(2)
    memory.fail(3)
    with memory.start() as broker:
        broker.publish({})
        assert broker.flush(20).delivered == 1
    assert (len(memory.batches), memory.opened) == (4, 6)


def test_an_error_of_the_tests_own_is_raised() -> None:
    """So a program can be shown what it does while a person is needed."""
    memory = MemoryBroker(Delays(first_halted=60.0, longest=60.0, hurried=0.01))
    memory.fail_to_connect(1, ConfigurationError("event_broker.password: is wrong"))
    with memory.start() as broker:
        broker.publish({})
        wait_until(lambda: broker.status().last_error == "event_broker.password: is wrong")
        assert broker.status().state == "halted"
    assert broker.status().delivered == 1


@pytest.mark.parametrize("by_name", [True, False])
def test_a_refused_event_is_a_dead_letter(memory: MemoryBroker, by_name: bool) -> None:
    """Whether the refusal names it or not, it is buried alone."""
    memory.refuse("b", by_name=by_name)
    with memory.start() as broker:
        for event_id in ("a", "b", "c"):
            broker.publish({}, event_id)
        broker.flush(20)
        assert [letter.event.id for letter in broker.dead_letters()] == ["b"]
    assert memory.ids() == ["a", "c"]


def test_a_connection_that_drops_has_taken_some_of_the_batch(memory: MemoryBroker) -> None:
    """Those arrive a second time, for nobody has confirmed them."""
    memory.hang()
    with memory.start() as broker:
        broker.publish({}, "first")  # in the hands of the broker, which hangs
        wait_until(lambda: memory.batches)
        memory.publishes.append(None)
        memory.drop_after(2)
        broker.publish_many([{}] * 3)
        memory.answer()
        assert broker.flush(20).delivered == 4
    assert len(memory.ids()) == 6
    assert memory.ids()[1:3] == memory.ids()[3:5]


def test_what_was_confirmed_before_an_error_is_not_sent_again(memory: MemoryBroker) -> None:
    """Unless the error is the test's own, which names nothing as confirmed."""
    memory.confirm_then_raise()
    with memory.start() as broker:
        broker.publish({}, "once")
        broker.flush(20)
        memory.confirm_then_raise(OSError("reset"))
        broker.publish({}, "twice")
        assert broker.flush(20).delivered == 2
    assert memory.ids() == ["once", "twice", "twice"]


def test_a_broker_that_hangs_loses_nothing_and_holds_nobody_up(memory: MemoryBroker) -> None:
    """Publishing goes on; what waits is delivered when the broker answers."""
    memory.hang()
    broker = memory.start()
    broker.publish({})
    wait_until(lambda: memory.batches)
    with pytest.raises(UndeliveredEvents):
        broker.close(0.01)
    memory.answer()
    wait_until(lambda: memory.open == 0)


def test_a_spool_stands_in_front_of_it(memory: MemoryBroker, tmp_path: Path) -> None:
    """The options of `delivery` are given as in endpoints.yml."""
    memory.fail(1)
    with memory.start(spool=str(tmp_path / "spool"), durability="process") as broker:
        broker.publish({}, "a")
        assert broker.flush(20).delivered == 1
    assert (tmp_path / "spool").is_dir()
    assert memory.ids() == ["a"]


@given(st.lists(MISHAPS, max_size=8), st.integers(min_value=1, max_value=40))
def test_whatever_befalls_it_every_event_arrives_in_order(mishaps: list[str], count: int) -> None:
    """First occurrences stand in the order in which they were published, and none is missing."""
    memory = MemoryBroker(SHORT)
    for mishap in mishaps:
        method = getattr(memory, mishap)
        method(count // 2) if mishap == "drop_after" else method()
    with memory.start() as broker:
        ids = [broker.publish({}) for _ in range(count)]
        assert broker.flush(20).delivered == count
    assert list(dict.fromkeys(memory.ids())) == ids
