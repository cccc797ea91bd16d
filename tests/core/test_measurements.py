"""What is measured is counted where it belongs, and measuring it all at once changes nothing."""

from __future__ import annotations

import gc
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import BrokerUnavailable, ConfigurationError, PartlyPublished, RejectedEvents
from event_brokers.condition import Progress
from event_brokers.living import Living
from event_brokers.measurements import TIMED_ONE_IN, Calls, Histogram, SampledTimes, kind_of

BOUNDS = (0.5, 1.0, 2.0, 10.0)
TIMES = st.floats(-20, 120, allow_nan=False)


@given(st.lists(TIMES))
def test_a_value_is_counted_up_to_the_first_bound_that_it_does_not_exceed(
    values: list[float],
) -> None:
    """As Prometheus has it: `le` is less or equal, and the last bucket takes the rest."""
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.add(value)
    found = histogram.distribution()
    for bound, count in zip(BOUNDS, accumulate(found.counts), strict=False):
        assert count == sum(value <= bound for value in values)
    assert sum(found.counts) == len(values)
    assert found.total == pytest.approx(sum(values))


@given(st.lists(TIMES, max_size=100))
def test_ages_of_a_batch_are_counted_as_one_by_one(times: list[float]) -> None:
    """However many there are, and in whatever order; one that is still to come is now."""
    together, alone = Histogram(BOUNDS), Histogram(BOUNDS)
    together.add_ages(times, 100.0)
    for time in times:
        alone.add(max(0.0, 100.0 - time))
    assert together.distribution().counts == alone.distribution().counts
    assert together.distribution().total == pytest.approx(alone.distribution().total)


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 5)), max_size=60))
def test_the_last_minute_forgets_what_is_older_and_at_most_5_seconds_more(
    confirms: list[tuple[float, int]],
) -> None:
    """Whatever the pace; the moment of the last confirm stays."""
    progress, now, told = Progress(), 1_000_000.0, []
    for pause, events in confirms:
        now += pause
        progress = progress.after(events, now)
        told.append((now, events))
        found = progress.last_minute(now)
        assert found <= sum(events for at, events in told if at > now - 60)
        assert found >= sum(events for at, events in told if at > now - 55)
        assert progress.last_confirm == now
    assert len(progress.pieces) <= 12
    assert progress.last_minute(now + 60) == 0


@given(st.lists(st.tuples(st.floats(-100, 100), st.integers(1, 5)), max_size=60))
def test_a_clock_that_is_put_back_lets_nothing_count_too_long(
    confirms: list[tuple[float, int]],
) -> None:
    """What was confirmed at a time that is still to come is not of the last minute."""
    progress, now = Progress(), 1_000_000.0
    told: list[tuple[float, int]] = []
    for step, events in confirms:
        now += step
        found = progress.last_minute(now)
        assert found <= sum(events for at, events in told if now - 60 < at < now + 5)
        progress = progress.after(events, now)
        told.append((now, events))
        assert progress.last_minute(now) >= events
        assert all(piece <= now // 5 for piece, _ in progress.pieces)
    assert len(progress.pieces) <= 12


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BrokerUnavailable("gone"), "unavailable"),
        (OSError("reset"), "unavailable"),
        (ConfigurationError("wrong"), "configuration"),
        (RejectedEvents({"1": "no"}), "rejected"),
        (ValueError("?"), "unforeseen"),
        (SystemExit(), "unforeseen"),
    ],
)
def test_every_failure_has_the_kind_that_the_contract_tells_apart(
    error: BaseException, kind: str
) -> None:
    """So that an alarm can tell an outage from what a person must change."""
    calls = Calls()
    calls.failed("publish", error)
    assert calls.failures == {("publish", kind): 1}
    assert kind_of(error) == kind


def test_time_that_was_up_is_no_failure() -> None:
    """PartlyPublished says that nothing has failed."""
    calls = Calls()
    calls.failed("publish", PartlyPublished("time", ["1"]))
    assert calls.failures == {}


def test_the_first_call_is_timed_and_then_one_in_sixteen() -> None:
    """A program that publishes once shows how long it took."""
    times = SampledTimes()
    timed = [times.is_next_timed() for _ in range(2 * TIMED_ONE_IN)]
    assert [index for index, each in enumerate(timed) if each] == [0, TIMED_ONE_IN]
    times.add(0.003)
    assert sum(times.distribution().counts) == 0
    times.count()
    times.count()
    assert sum(times.distribution().counts) == 1
    assert times.distribution().total == 0.003


def test_what_is_known_to_live_is_not_kept_alive() -> None:
    """It vanishes with its last owner, or when it is forgotten; the order is that of coming."""
    living: Living[Calls] = Living()
    first, second, third = Calls(), Calls(), Calls()
    assert [living.add(each, "x") for each in (first, second, third)] == ["x", "x-2", "x-3"]
    living.forget(second)
    assert living.all() == [first, third]
    del first
    gc.collect()
    assert living.all() == [third]
    fourth, fifth = Calls(), Calls()
    assert [living.add(each, "x") for each in (fourth, fifth)] == ["x", "x-2"]
    assert living.all() == [third, fourth, fifth]
