"""Delivery tries until the broker has confirmed, and tells the three classes of errors apart."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import pytest

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    EventBroker,
    PartlyPublished,
    RejectedEvents,
    delivery,
    hookimpl,
)
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from waiting import wait_until

QUICK = Delays(first=0.001, first_halted=0.001, longest=0.01)  # many attempts fit into a test


def memory_broker() -> MemoryBroker:
    """Return a broker to which delivery comes back within milliseconds."""
    return MemoryBroker(QUICK)


def published(memory: MemoryBroker, count: int) -> list[str]:
    """Publish a number of events in one call, deliver them all, and return their ids."""
    with memory.start() as broker:
        ids = broker.publish_many([{"number": number} for number in range(count)])
        status = broker.flush(20)
    assert status.accepted == status.delivered + status.pending + status.dead_letters == count
    assert status.pending == 0
    return ids


@pytest.mark.parametrize(
    "failure",
    [BrokerUnavailable("gone"), OSError("reset"), ConfigurationError("no access"), SystemExit()],
)
def test_events_survive_every_failure_to_connect(failure: BaseException) -> None:
    """Nothing is lost and the order is kept, however often connecting fails."""
    memory = memory_broker()
    memory.connects.extend([failure] * 5)
    assert published(memory, 10) == memory.ids()
    assert memory.open == 0


@pytest.mark.parametrize(
    "failure", [BrokerUnavailable("gone"), ValueError("?"), ConfigurationError("no access")]
)
def test_a_failed_batch_is_sent_again_through_a_new_connection(failure: Exception) -> None:
    """A connection that failed is closed, and never used again."""
    memory = memory_broker()
    memory.publishes.extend([failure] * 3)
    assert published(memory, 10) == memory.ids()
    assert memory.opened == 4
    assert memory.open == 0


@pytest.mark.parametrize("kind", [BrokerUnavailable, ConfigurationError])
def test_only_the_unconfirmed_are_sent_again(
    kind: type[BrokerUnavailable] | type[ConfigurationError],
) -> None:
    """An exception that says what was confirmed spares these events a second journey."""
    memory = memory_broker()

    def confirm_half(events: Sequence[Event]) -> None:
        half = events[: len(events) // 2]
        memory.arrived.extend(half)
        raise kind("lost", confirmed=[event.id for event in half])

    memory.publishes.append(confirm_half)
    assert published(memory, 10) == memory.ids()


def test_rejected_events_are_buried_and_the_others_go_on() -> None:
    """A dead letter carries the broker's reason; the connection stays."""
    memory = memory_broker()

    def reject_second(events: Sequence[Event]) -> None:
        memory.arrived.append(events[0])
        raise RejectedEvents({events[1].id: "too large"}, confirmed=[events[0].id])

    memory.hang()
    memory.publishes.append(reject_second)
    with memory.start() as broker:
        ids = broker.publish_many([{"n": 0}, {"n": 1}, {"n": 2}])
        memory.answer()
        status = broker.flush(20)
        letters = broker.dead_letters()
    assert (status.delivered, status.dead_letters) == (2, 1)
    assert [(letter.event.id, letter.reason) for letter in letters] == [(ids[1], "too large")]
    assert memory.ids() == [ids[0], ids[2]]
    assert memory.opened == 1


def test_a_rejected_batch_is_narrowed_until_the_culprit_is_found() -> None:
    """A broker that does not say which event it refuses costs that event alone."""
    memory = memory_broker()

    def reject_the_seventh(events: Sequence[Event]) -> None:
        memory.publishes.append(reject_the_seventh)
        if any(event.body == b'{"number":7}' for event in events):
            raise RejectedEvents({}, "one of them is bad")

    memory.publishes.append(reject_the_seventh)
    ids = published(memory, 100)
    assert memory.ids() == ids[:7] + ids[8:]


def failing_on(memory: MemoryBroker, number: int, failure: Exception) -> None:
    """Let every batch fail that holds one event."""

    def fail(events: Sequence[Event]) -> None:
        memory.publishes.append(fail)
        if any(event.body == b'{"number":%d}' % number for event in events):
            raise failure

    memory.publishes.append(fail)


def test_an_unforeseen_failure_is_narrowed_to_the_event_that_fails_alone() -> None:
    """What stands before it is delivered; what waits behind it has a reason that anyone can see."""
    memory = memory_broker()
    failing_on(memory, 70, ValueError("canary"))
    with memory.start() as broker:
        ids = broker.publish_many([{"number": number} for number in range(100)])
        reason = wait_until(
            lambda: next((s for s in [broker.status().last_error or ""] if "alone" in s), "")
        )
        assert memory.ids() == ids[:70]
        assert reason.startswith(f"event {ids[70]} fails alone: ValueError at test_delivery.py:")
        assert broker.status().state == "retrying"
        assert broker.status().pending == 30
        memory.publishes.clear()
        assert broker.flush(20).delivered == 100
    assert memory.ids() == ids


def test_an_event_that_failed_alone_often_enough_is_a_dead_letter() -> None:
    """Only where `max_attempts` says so; the others go on, and reason and count are kept."""
    memory = memory_broker()
    failing_on(memory, 3, ValueError("canary"))
    with memory.start(max_attempts=5) as broker:
        ids = broker.publish_many([{"number": number} for number in range(10)])
        status = broker.flush(20)
        (letter,) = broker.dead_letters()
    assert (status.delivered, status.dead_letters) == (9, 1)
    assert memory.ids() == ids[:3] + ids[4:]
    assert (letter.event.id, letter.attempts) == (ids[3], 5)
    assert letter.reason.startswith("ValueError at test_delivery.py:")
    assert memory.batches.count([ids[3]]) == 5


@pytest.mark.parametrize(
    "failure", [BrokerUnavailable("gone"), OSError("reset"), ConfigurationError("no access")]
)
def test_a_broker_that_is_down_never_makes_dead_letters(failure: Exception) -> None:
    """`max_attempts` is for events, not for outages, however many attempts they take."""
    memory = memory_broker()
    memory.publishes.extend([failure] * 20)
    with memory.start(max_attempts=1) as broker:
        broker.publish({})
        status = broker.flush(20)
    assert (status.delivered, status.dead_letters) == (1, 0)


def test_a_batch_stays_below_its_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither many events nor large ones make a batch without end; one event always goes."""
    monkeypatch.setattr(delivery, "BATCH_BYTES", 100)
    memory = memory_broker()
    with memory.start() as broker:
        broker.publish_many([{"text": "x" * size} for size in (10, 10, 500, 60, 60)])
        broker.flush(20)
    assert len(memory.arrived) == 5
    assert [len(batch) for batch in memory.batches] == [2, 1, 1, 1]


def test_a_configuration_error_halts_says_so_once_and_goes_on_by_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A person reads one loud line, and nothing else has to be done once the cause is gone."""
    caplog.set_level(logging.INFO, "event_brokers")
    memory = memory_broker()
    wrong = ConfigurationError("event_broker.password: refused")
    memory.connects.extend([wrong] * 1000)
    with memory.start() as broker:
        broker.publish({})
        wait_until(lambda: memory.opened > 5)
        status = broker.status()
        assert (status.state, status.pending) == ("halted", 1)
        assert status.last_error == "event_broker.password: refused"
        memory.connects.clear()
        status = broker.flush(20)
        assert (status.delivered, status.last_error) == (1, None)
        assert broker.status().state == "connected"
    halted = [record for record in caplog.records if "halted" in record.message]
    recovered = [record for record in caplog.records if "recovered after" in record.message]
    assert [record.levelno for record in halted] == [logging.ERROR]
    assert len(recovered) == 1


def test_another_configuration_error_is_said_too(caplog: pytest.LogCaptureFixture) -> None:
    """A person who put one mistake right must read of the next one, once."""
    memory = memory_broker()
    first, second = ConfigurationError("wrong password"), ConfigurationError("no such table")
    memory.connects.extend([first] * 3 + [second] * 3)
    with memory.start() as broker:
        broker.publish({})
        broker.flush(20)
    halted = [record.message for record in caplog.records if "halted" in record.message]
    assert len(halted) == 2
    assert "wrong password" in halted[0]
    assert "no such table" in halted[1]


def test_an_outage_is_two_log_lines_however_long_it_lasts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Retrying and recovered are said once each, also where connecting works and publish fails."""
    caplog.set_level(logging.INFO, "event_brokers")
    memory = memory_broker()
    with memory.start() as broker:
        wait_until(lambda: broker.status().state == "connected")
        caplog.clear()
        memory.publishes.extend([OSError("reset")] * 20)
        broker.publish({})
        broker.flush(20)
    lines = [record.message for record in caplog.records]
    assert len(lines) == 2, lines
    assert "retrying: OSError: reset; next attempt in" in lines[0]
    assert "recovered after" in lines[1]
    assert "with 1 events waiting" in lines[1]


def test_a_sentence_from_a_plugin_is_shown_without_secrets() -> None:
    """What a careless plugin puts into its error is masked before anybody sees it."""
    memory = memory_broker()
    settings = memory.settings()
    settings.options["password"] = "hunter2"
    memory.connects.extend([OSError("no login with hunter2 at amqp://me:other@host/")] * 1000)
    with EventBroker(settings, QUICK) as broker:
        sentence = wait_until(lambda: broker.status().last_error)
        memory.connects.clear()
    assert sentence == "OSError: no login with *** at amqp://me:***@host/"


def test_no_log_holds_what_an_error_says_of_events_or_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also at DEBUG, where the cause is shown: frames and types, never texts and values."""
    caplog.set_level(logging.DEBUG)
    memory = memory_broker()

    def fail(events: Sequence[Event]) -> None:
        try:
            raise ValueError(f"bad value: {events[0].body!r}")
        except ValueError as error:
            raise BrokerUnavailable("the broker is ill") from error

    memory.publishes.extend([ValueError("canary"), fail])
    with memory.start() as broker:
        broker.publish({"text": "canary"})
        broker.flush(20)
    assert "the cause: " in caplog.text
    assert "ValueError" in caplog.text
    assert "canary" not in caplog.text


def test_a_connect_hook_that_returns_nothing_is_named() -> None:
    """A plugin's author is told what is wrong, instead of publishing into None."""

    class Forgetful(MemoryBroker):
        @hookimpl
        def connect(self, options: object) -> None:
            """Forget to return the connection."""

    broker = Forgetful(QUICK).start()
    sentence = wait_until(lambda: broker.status().last_error)
    broker.close()
    assert sentence == (
        "the plugin 'memory' of event_brokers.testing: "
        "hook 'connect' returned None, not a connection"
    )


def test_a_broker_that_asks_for_time_is_given_it(caplog: pytest.LogCaptureFixture) -> None:
    """`retry_after` is waited for, however short the delays are otherwise, and is told."""
    memory = memory_broker()
    memory.fail(1, BrokerUnavailable("answers 429", retry_after=0.3))
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "event_brokers"):
        assert published(memory, 10) == memory.ids()
    assert time.monotonic() - began >= 0.3
    assert "memory: retrying: answers 429; next attempt in 0.3 s" in caplog.messages


@pytest.mark.parametrize(
    ("asked", "waited"),
    [(1e9, "300.0"), (float("inf"), "300.0"), (float("nan"), "0.0"), (-5, "0.0"), (None, "0.0")],
)
def test_no_broker_is_given_more_than_five_minutes(
    asked: float | None, waited: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What a broker asks for is its wish; a number that is none is passed over."""
    memory = MemoryBroker(Delays(first=0.0, longest=0.0))
    memory.fail(1, BrokerUnavailable("full", retry_after=asked))
    with caplog.at_level(logging.WARNING, "event_brokers"), memory.start() as broker:
        broker.publish({})
        wait_until(lambda: f"memory: retrying: full; next attempt in {waited} s" in caplog.messages)


def test_closing_and_flushing_do_not_wait_for_as_long_as_a_broker_asks() -> None:
    """`flush` keeps its own time, and `close` tries at once, and again, in a hurry."""
    memory = memory_broker()
    memory.fail(3, BrokerUnavailable("full", retry_after=200))
    with memory.start() as broker:
        broker.publish({"number": 1})
        wait_until(lambda: broker.status().state == "retrying")
        assert broker.flush(0.01).pending == 1
        assert broker.close(20).delivered == 1
    assert not memory.publishes


def test_a_connection_that_is_asked_to_wait_while_connecting_waits() -> None:
    """A server that is too busy to be connected to may ask, too."""
    memory = memory_broker()
    memory.fail_to_connect(1, BrokerUnavailable("busy", retry_after=0.3))
    began = time.monotonic()
    assert published(memory, 3) == memory.ids()
    assert time.monotonic() - began >= 0.3


def test_what_there_was_no_time_for_comes_again_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Through the same connection, in order, each event once, and nobody hears of an outage."""
    memory = memory_broker()

    def confirm_some(events: Sequence[Event]) -> None:
        if len(events) <= 3:
            return
        memory.publishes.append(confirm_some)
        memory.arrived.extend(events[:3])
        raise PartlyPublished("time is up", [event.id for event in events[:3]])

    memory.publishes.append(confirm_some)
    with caplog.at_level(logging.WARNING, "event_brokers"):
        ids = published(memory, 10)
    assert memory.ids() == ids
    assert memory.opened == 1
    assert not caplog.messages


def test_no_time_for_any_event_is_an_outage() -> None:
    """A plugin that confirms nothing is not asked again without a pause."""
    memory = memory_broker()
    memory.fail(1, PartlyPublished("time is up", ["another"]))
    with memory.start() as broker:
        broker.publish({})
        assert broker.flush(20).delivered == 1
    assert memory.opened == 2
