"""Whatever a plugin does, nothing is lost, nothing spins, and a person reads what is wrong."""

from __future__ import annotations

import ctypes
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from event_brokers import BrokerUnavailable, Event, EventBroker, RejectedEvents, hookimpl
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from waiting import wait_until

QUICK = Delays(first=0.001, first_halted=0.001, longest=0.01)
IMPATIENT = Delays(
    first=0.001, first_halted=0.001, longest=0.01, hanging_call=0.05, hanging_close=0.05
)


class OwnError(Exception):
    """What a client library raises, which neither the core nor its plugin foresees."""


class Always(MemoryBroker):
    """Ends every call of `publish` in the same way."""

    def __init__(self, way: Callable[[MemoryBroker, Sequence[Event]], None]) -> None:
        super().__init__(Delays(first=0.05, longest=0.05))
        self._way = way

    @hookimpl
    def publish(self, connection: object, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Do as told."""
        self.batches.append([event.id for event in events])
        self._way(self, events)


def test_a_plugin_that_takes_events_out_of_its_batch_delivers_all() -> None:
    """Working through a list by emptying it is a plugin's own affair."""

    def pop(broker: MemoryBroker, events: Sequence[Event]) -> None:
        assert isinstance(events, list)
        while events:
            broker.arrived.append(events.pop(0))

    broken = Always(pop)
    with broken.start() as broker:
        ids = broker.publish_many([{"n": number} for number in range(100)])
        assert broker.flush(20).delivered == 100
    assert broken.ids() == ids


@pytest.mark.parametrize("reasons", [{"no such id": "bad"}, {b"bytes": "bad"}, {7: "bad"}])
def test_rejecting_what_is_not_in_the_batch_is_told_and_never_spins(
    reasons: dict[Any, str], caplog: pytest.LogCaptureFixture
) -> None:
    """No progress always means a delay and a sentence; the events stay."""

    def reject(_broker: MemoryBroker, _events: Sequence[Event]) -> None:
        raise RejectedEvents(reasons)

    broken = Always(reject)
    with broken.start() as broker:
        broker.publish({})
        sentence = str(wait_until(lambda: broker.status().last_error))
        assert "rejects events that are not in the batch" in sentence
        before, attempts = broken.opened, len(broken.batches)
        wait_until(lambda: broken.opened >= before + 3)
        # every further attempt went through a delay and a new connection
        assert len(broken.batches) - attempts <= broken.opened - before + 1
        assert (broker.status().state, broker.status().pending) == ("retrying", 1)
        broken._way = lambda broker, events: broker.arrived.extend(events)
        assert broker.flush(20).delivered == 1
    assert "rejects events that are not in the batch" in caplog.text


def test_an_event_both_confirmed_and_rejected_counts_once() -> None:
    """Confirmed is confirmed, whatever else the plugin says."""
    memory = MemoryBroker(QUICK)

    def both(events: Sequence[Event]) -> None:
        ids = [event.id for event in events]
        raise RejectedEvents(dict.fromkeys(ids, "bad"), confirmed=ids[:1])

    memory.publishes.append(both)
    memory.hang()
    with memory.start() as broker:
        first, second = broker.publish_many([{"n": 1}, {"n": 2}])
        memory.answer()
        status = broker.flush(20)
        letters = [letter.event.id for letter in broker.dead_letters()]
    assert (status.accepted, status.delivered, status.dead_letters) == (2, 1, 1)
    assert (first not in letters, letters) == (True, [second])


def test_partial_progress_resets_the_delay() -> None:
    """50 events an attempt never wait half a minute for the next 50."""
    delays = Delays(first=0.001, longest=3600)
    memory = MemoryBroker(delays)

    def confirm_fifty(events: Sequence[Event]) -> None:
        memory.publishes.append(confirm_fifty)
        memory.arrived.extend(events[:50])
        raise BrokerUnavailable("gone", confirmed=[event.id for event in events[:50]])

    memory.publishes.append(confirm_fifty)
    with memory.start() as broker:
        broker.publish_many([{"n": number} for number in range(3_000)])
        # 60 attempts: with a delay that doubles each time it would take for ever
        assert broker.flush(60).delivered == 3_000


def test_an_outage_that_looks_like_a_bad_event_buries_nothing() -> None:
    """A plugin that connects lazily and raises its client's own errors: all events are kept."""
    memory = MemoryBroker(QUICK)
    is_down = threading.Event()
    is_down.set()

    def lazily(_events: Sequence[Event]) -> None:
        memory.publishes.append(lazily)
        if is_down.is_set():
            raise OwnError("connection refused")

    memory.publishes.append(lazily)
    with memory.start(max_attempts=2) as broker:
        ids = broker.publish_many([{"sender_id": str(n), "n": n} for n in range(20)])
        wait_until(lambda: len(memory.batches) > 100)
        assert broker.status().dead_letters == 0
        is_down.clear()
        status = broker.flush(20)
    assert (status.delivered, status.dead_letters) == (20, 0)
    assert set(memory.ids()) == set(ids)


def test_a_bad_event_of_one_conversation_waits_for_proof_of_another() -> None:
    """No event of its own conversation is tried before it: they would overtake it."""
    memory = MemoryBroker(QUICK)

    def fail_on_first(events: Sequence[Event]) -> None:
        memory.publishes.append(fail_on_first)
        if any(b'"n":0' in event.body for event in events):
            raise OwnError("bad")

    memory.publishes.append(fail_on_first)
    with memory.start(max_attempts=2) as broker:
        ids = broker.publish_many([{"sender_id": "a", "n": n} for n in range(3)])
        wait_until(lambda: memory.batches.count([ids[0]]) > 5)
        assert (broker.status().dead_letters, memory.arrived) == (0, [])
        others = broker.publish_many([{"sender_id": "b", "n": n} for n in (8, 9)])
        status = broker.flush(20)
        assert [letter.event.id for letter in broker.dead_letters()] == [ids[0]]
    assert (status.delivered, status.dead_letters) == (4, 1)
    assert [event_id for event_id in memory.ids() if event_id in ids] == ids[1:]
    assert [event_id for event_id in memory.ids() if event_id in others] == others


class HangingClose(MemoryBroker):
    """Does not come back from `close` until it is told to."""

    def __init__(self) -> None:
        super().__init__(IMPATIENT)
        self.may_close = threading.Event()
        self.closing = 0

    @hookimpl
    def close(self, connection: object) -> None:  # noqa: ARG002
        """Hang."""
        self.closing += 1
        self.may_close.wait(60)


def test_a_close_that_hangs_is_left_behind_and_hides_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Delivery goes on on another thread, and the cause of the failure was told before."""
    broken = HangingClose()
    broken.publishes.append(BrokerUnavailable("the cause"))
    with broken.start() as broker:
        event_id = broker.publish({})
        wait_until(lambda: broken.closing)
        assert "the cause" in str(broker.status().last_error)
        assert broker.flush(30).delivered == 1
        broken.may_close.set()
    assert broken.ids() == [event_id]
    assert "left behind on its thread, 1 so far" in caplog.text
    assert "retrying: the cause" in caplog.text


def test_a_publish_that_hangs_is_told_and_never_doubled(caplog: pytest.LogCaptureFixture) -> None:
    """`status()` and one log line say so; no second call is made beside it."""
    memory = MemoryBroker(IMPATIENT)
    memory.hang()
    with memory.start() as broker:
        broker.publish({})
        wait_until(lambda: "hook 'publish' of the plugin" in str(broker.status().last_error))
        wait_until(lambda: "has not returned for" in caplog.text)
        broker.publish({})
        assert len(memory.batches) == 1
        memory.answer()
        status = broker.flush(20)
        assert (status.delivered, status.last_error) == (2, None)
    assert caplog.text.count("has not returned for") == 1


def test_a_connection_that_is_used_up_is_made_anew() -> None:
    """`RejectedEvents` can say so; the events that it does not name go through a new one."""
    memory = MemoryBroker(QUICK)

    def reject_first(events: Sequence[Event]) -> None:
        raise RejectedEvents({events[0].id: "bad"}, reconnect=True)

    memory.hang()
    memory.publishes.append(reject_first)
    with memory.start() as broker:
        ids = broker.publish_many([{"n": 0}, {"n": 1}])
        memory.answer()
        status = broker.flush(20)
    assert (status.delivered, status.dead_letters) == (1, 1)
    assert (memory.ids(), memory.opened) == (ids[1:], 2)


def test_a_delivery_thread_that_died_is_seen_and_started_again() -> None:
    """Whatever killed it: here an exception that another thread injects, again and again."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        broker.publish({})
        broker.flush(20)
        for _ in range(20):
            for thread in threading.enumerate():
                if thread.name == "event-brokers-memory" and thread.ident is not None:
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(
                        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
                    )
            broker.publish({})
        assert broker.flush(30).delivered == 21
    assert len(memory.ids()) >= 21


class _Raises(logging.Handler):
    """A handler of an application, with a mistake in it."""

    def emit(self, record: logging.LogRecord) -> None:
        raise RuntimeError(record.getMessage())


def _raise(_record: logging.LogRecord) -> bool:
    raise RuntimeError("a filter with a mistake in it")


@pytest.mark.parametrize(
    ("where", "kind"),
    # a logger's filter sees only what is logged through that logger itself
    [("event_brokers", "handler"), ("", "handler"), ("event_brokers", "filter")],
)
def test_logging_that_raises_ends_nothing(where: str, kind: str) -> None:
    """Delivery goes on, and standard error says once what is wrong."""
    logger = logging.getLogger(where)
    handler = _Raises()
    memory = MemoryBroker(QUICK)
    memory.publishes.extend([BrokerUnavailable("gone")] * 3)
    try:
        if kind == "handler":
            logger.addHandler(handler)
        else:
            logger.addFilter(_raise)
        with memory.start() as broker:
            ids = [broker.publish({"n": n}) for n in range(10)]
            status = broker.flush(20)
            assert (status.delivered, status.state) == (10, "connected")
    finally:
        logger.removeHandler(handler)
        logger.removeFilter(_raise)
    assert memory.ids() == ids


def test_what_an_application_sees_is_what_it_calls() -> None:
    """Nothing of the engine stands in the completion list of an EventBroker."""
    names = {name for name in dir(EventBroker) if not name.startswith("_")}
    assert names == {
        "accept", "aclose", "aflush", "close", "dead_letters", "flush", "publish",
        "publish_many", "status",
    }  # fmt: skip


def test_a_place_that_was_used_is_handed_to_the_next_connection() -> None:
    """Only what had events confirmed counts as used."""

    class Placing(MemoryBroker):
        """Publishes into one queue."""

        seen: list[set[str]] = []  # noqa: RUF012 - of this one test

        @hookimpl
        def connect(self, options: Any, used: set[str]) -> object:  # type: ignore[override]
            """Note what was used before, and use a queue."""
            self.seen.append(set(used))
            used.add("queue 'q'")
            return super().connect(options)

    placing = Placing(QUICK)
    placing.publishes.extend([OSError("reset"), None, OSError("reset")])
    with placing.start() as broker:
        broker.publish({})
        broker.flush(20)
        broker.publish({})
        broker.flush(20)
    assert placing.seen == [set(), set(), {"queue 'q'"}]
