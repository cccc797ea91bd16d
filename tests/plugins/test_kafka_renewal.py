"""What expires is renewed in time, on a thread of its own that nothing kills but `close`."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers_kafka import renewal
from event_brokers_kafka.renewal import Lease, Renewed
from waiting import wait_until

LIFETIMES = st.floats(1.0, 86_400.0)


class Source:
    """Gives numbers, or fails as it is told.

    Attributes:
        given: how many numbers were given.
        is_asked: whether somebody waits at the gate.
        failures: what the next calls raise.
        gate: while it is cleared, nothing comes back.
    """

    def __init__(self, seconds: float = 600.0) -> None:
        self.given = 0
        self.is_asked = False
        self.failures: list[BaseException] = []
        self.gate = threading.Event()
        self.gate.set()
        self._seconds = seconds

    def fetch(self) -> Lease[int]:
        """Return the next number."""
        since = time.monotonic()
        self.is_asked = not self.gate.is_set()
        self.gate.wait(60)
        if self.failures:
            raise self.failures.pop(0)
        self.given += 1
        return Lease(self.given, since, self._seconds)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no time pass between attempts."""
    monkeypatch.setattr(renewal, "_pause", lambda _lease, _failures: 0.001)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Make sure that every thread has ended."""
    yield
    wait_until(
        lambda: all(thread.name != "event-brokers-login" for thread in threading.enumerate())
    )


@given(LIFETIMES)
def test_it_is_renewed_while_it_is_still_good_for_a_fifth_of_its_time(seconds: float) -> None:
    """Before kafka-python logs in again, at 0.85 of a session; and never in a rush."""
    pause = renewal._pause(Lease("x", time.monotonic(), seconds), 0)
    assert pause >= renewal._SOONEST_SECONDS
    assert pause <= max(renewal._SOONEST_SECONDS, 0.8 * seconds)
    assert pause >= 0.75 * seconds - 0.1


@given(st.integers(1, 10_000), LIFETIMES)
def test_a_failure_is_tried_again_ever_later_and_within_half_a_minute(
    failures: int, seconds: float
) -> None:
    """However often it has failed."""
    pause = renewal._pause(Lease("x", time.monotonic(), seconds), failures)
    assert 1.0 <= pause <= 30.0
    assert renewal._pause(Lease("x", 0.0, seconds), failures + 1) >= pause


@pytest.mark.usefixtures("at_once")
def test_the_newest_is_handed_out() -> None:
    """Without waiting for one that is under way."""
    source = Source()
    renewed = Renewed("the number", source.fetch)
    assert renewed.value >= 1
    wait_until(lambda: renewed.value > 3)
    source.gate.clear()
    wait_until(lambda: source.is_asked)
    assert renewed.value == source.given
    source.gate.set()
    renewed.close()


def test_the_first_failure_is_raised_where_it_is_waited_for() -> None:
    """As it is, and nothing is renewed."""
    source = Source()
    source.failures = [ConfigurationError("event_broker.x: wrong")]
    with pytest.raises(ConfigurationError, match=r"event_broker\.x: wrong"):
        Renewed("the number", source.fetch)


def test_what_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hook that connects has to return; the thread ends when it can."""
    monkeypatch.setattr(renewal, "FIRST_SECONDS", 0.05)
    source = Source()
    source.gate.clear()
    with pytest.raises(BrokerUnavailable) as caught:
        Renewed("the number", source.fetch)
    assert str(caught.value) == "the number does not come within 0.05 s"
    source.gate.set()


@pytest.mark.usefixtures("at_once")
def test_an_outage_is_said_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is raised: the thread goes on, and a text that nobody foresaw is not shown."""
    source = Source()
    renewed = Renewed("the number", source.fetch)
    source.failures = [BrokerUnavailable("nobody there"), ValueError("canary"), MemoryError()]
    wait_until(lambda: "renewed again" in caplog.text)
    source.failures = [ValueError("canary")]
    wait_until(lambda: caplog.text.count("renewed again") == 2)
    renewed.close()
    first, second, third, fourth = caplog.messages
    assert first.startswith("kafka: the number is not renewed, and ends in ")
    assert first.endswith(" s: nobody there; it is tried again")
    assert second == fourth == "kafka: the number is renewed again"
    assert third.endswith(" s: ValueError; it is tried again")


def test_closing_does_not_wait_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends as soon as it has its answer."""
    monkeypatch.setattr(renewal, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(renewal, "_pause", lambda _lease, _failures: 0.001)
    source = Source()
    renewed = Renewed("the number", source.fetch)
    source.gate.clear()
    renewed.close()
    renewed.close()
    source.gate.set()


def in_a_child(check: Callable[[], object]) -> int:
    """Return the code with which a forked child ends, nought where the check holds."""
    child = os.fork()
    if not child:
        code = 1
        try:
            code = 0 if check() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_forked_child_ends_nothing_and_waits_for_nothing() -> None:
    """What it has inherited has no thread there; the parent's goes on."""
    source = Source(seconds=1.0)
    renewed = Renewed("the number", source.fetch)

    def closes() -> bool:
        renewed.close()
        return not renewed._is_closing.is_set()

    assert in_a_child(closes) == 0
    wait_until(lambda: renewed.value > 1)
    renewed.close()
