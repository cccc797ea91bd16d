"""`status()` says what a person needs first: since when, why, how it goes, and what comes next."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from event_brokers import BrokerUnavailable
from event_brokers.condition import Condition, State
from event_brokers.delays import Delays
from event_brokers.look import status_of
from event_brokers.queues.memory import OnlyProcess
from event_brokers.queues.protocol import Counts
from event_brokers.report import Report
from event_brokers.testing import MemoryBroker
from waiting import wait_until


@pytest.fixture(params=["memory", "spool"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return each kind of queue in turn."""
    return {"spool": str(tmp_path / "spool")} if request.param == "spool" else {}


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clock of the calendar stand still, so that a minute is not over in a slow test."""
    monkeypatch.setattr(time, "time", lambda: 1_000_000.0)


@pytest.mark.usefixtures("stopped_clock")
def test_it_tells_of_the_last_confirm_and_of_the_last_minute(delivery: dict[str, Any]) -> None:
    """As soon as `flush` returns; before the first confirm there is none."""
    memory = MemoryBroker()
    with memory.start(**delivery) as broker:
        before = broker.status()
        assert (before.last_confirm_seconds, before.delivered_last_minute) == (None, 0)
        for count in (1, 100, 7):
            broker.publish_many([{"n": n} for n in range(count)])
            broker.flush(20)
        status = broker.status()
        assert status.delivered_last_minute == 108
        assert status.last_confirm_seconds == 0
        assert status.next_step == "waits for events"
        assert (status.state_seconds or 0) >= 0
    ended = broker.status()
    assert ended.next_step == "delivers nothing more"
    assert (ended.state_seconds, ended.last_confirm_seconds) == (None, None)
    assert broker.status().delivered_last_minute == 108


def test_it_tells_since_when_and_why_and_what_comes_next(delivery: dict[str, Any]) -> None:
    """The time of an outage does not begin anew with each attempt."""
    memory = MemoryBroker(Delays(first=0.001, longest=0.01))
    with memory.start(**delivery) as broker:
        wait_until(lambda: broker.status().state == "connected")
        memory.fail_to_connect(100_000, BrokerUnavailable("nobody listens"))
        memory.fail()
        broker.publish({"n": 1})
        wait_until(lambda: broker.status().last_error)
        first, attempts = broker.status(), memory.opened
        wait_until(lambda: memory.opened > attempts + 20)
        later = broker.status()
        assert later.last_error == "nobody listens"
        assert first.state_seconds is not None
        assert later.state_seconds is not None
        assert later.state_seconds > first.state_seconds
        assert later.next_step.startswith("connects again ")
        assert later.next_attempt_seconds is not None
        memory.connects.clear()
        broker.flush(20)
        back = broker.status()
        assert (back.state, back.next_attempt_seconds) == ("connected", None)
        assert back.state_seconds is not None


@pytest.mark.usefixtures("stopped_clock")
def test_a_spool_goes_on_telling_when_the_program_begins_anew(tmp_path: Path) -> None:
    """The last confirm is that of the program before; the last minute is not begun anew."""
    memory = MemoryBroker()
    delivery = {"spool": str(tmp_path / "spool")}
    with memory.start(**delivery) as broker:
        broker.publish_many([{"n": n} for n in range(5)])
        broker.flush(20)
    with memory.start(**delivery) as broker:
        wait_until(lambda: broker.status().state == "connected")
        assert broker.status().last_confirm_seconds is not None
        broker.publish({"n": 6})
        broker.flush(20)
        assert broker.status().delivered_last_minute == 6


@pytest.mark.parametrize(
    ("told", "since"),
    [
        (None, 700.0),
        (Condition(State.RETRYING, "gone", 100.0), 100.0),
        (Condition(State.CONNECTED, None, 100.0), 700.0),
    ],
    ids=["nobody", "not connected", "connected"],
)
def test_who_takes_over_goes_on_from_what_was_told(
    monkeypatch: pytest.MonkeyPatch, told: Condition | None, since: float
) -> None:
    """An outage lasts since it began, whoever delivers; none began when the stand-by was made."""
    right = OnlyProcess()
    if told is not None:
        right.note(told)
    monkeypatch.setattr(time, "time", lambda: 500.0)
    report = Report(right)
    monkeypatch.setattr(time, "time", lambda: 700.0)
    report.begin()
    monkeypatch.setattr(time, "time", lambda: 900.0)
    report.begin()
    now = right.condition()
    assert now is not None
    assert (now.state, now.since) == (State.CONNECTING, since)


def test_a_clock_that_is_put_back_makes_no_wait_longer() -> None:
    """Than it is in all."""
    right = OnlyProcess()
    Report(right).note(State.RETRYING, "gone", 2.0)
    told = right.condition()
    assert told is not None
    later = msgspec.structs.replace(told, next_attempt=time.time() + 3600)
    status = status_of(Counts(0, 0, 0, 0, None), later)
    assert status.next_attempt_seconds == 2.0
    assert status.next_step == "connects again in 2.0 s"
