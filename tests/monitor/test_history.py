"""The last hour of a destination: rates, latencies and ages in pieces of five seconds."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import Status
from event_brokers.look import Look
from event_brokers.measurements import DELIVERY_SECONDS, Histogram, Measured
from event_brokers_monitor.history import PIECE_SECONDS, PIECES, History

NOTHING = Histogram(DELIVERY_SECONDS).distribution()


def look(accepted: int, delivered: int, oldest: float | None = None) -> Look:
    """Return what was seen of a spool that another process delivers."""
    pending = accepted - delivered
    status = Status(accepted, delivered, pending, 0, "connected", None, oldest)
    return Look("sql", "sql", "/spool", status)


def measured(latencies: Histogram, delivered: int) -> Look:
    """Return what was seen of a broker in this process."""
    found = Measured({}, {}, 0, NOTHING, latencies.distribution(), NOTHING)
    return msgspec.structs.replace(look(delivered, delivered), measured=found)


def test_a_piece_tells_events_a_second_and_how_long_the_oldest_waits() -> None:
    """Of the five seconds that it stands for."""
    history = History()
    for second in range(11):
        history.add(
            look(accepted=second * 10, delivered=second * 5, oldest=second), 1000.0 + second
        )
    assert [piece.time for piece in history.pieces] == [1000, 1005, 1010]
    assert [(piece.accepted, piece.delivered) for piece in history.pieces] == [(10, 5)] * 3
    assert history.pieces[1].oldest == 9
    assert history.pieces[1].pending == 45


def test_what_was_there_before_the_first_look_is_no_rate() -> None:
    """A spool that already holds a million events has not accepted them now."""
    history = History()
    history.add(look(accepted=1_000_000, delivered=999_000), 1000.0)
    assert (history.pieces[0].accepted, history.pieces[0].delivered) == (0, 0)


def test_latency_is_that_of_the_piece_and_unknown_where_nobody_measures() -> None:
    """The mean, and the bound below which 95 of 100 lie."""
    latencies, history = Histogram(DELIVERY_SECONDS), History()
    latencies.add(100.0)
    history.add(measured(latencies, 1), 1000.0)
    for _ in range(99):
        latencies.add(0.002)
    latencies.add(0.4)
    history.add(measured(latencies, 101), 1004.0)
    assert history.pieces[0].latency == 0.00598
    assert history.pieces[0].slow_latency == 0.0025
    history.add(measured(latencies, 101), 1006.0)
    assert history.pieces[1].latency is None
    history = History()
    history.add(look(1, 1), 1000.0)
    assert history.pieces[0].latency is None


def test_a_spool_that_cannot_be_read_leaves_a_gap() -> None:
    """And what came meanwhile is not counted as if it had come in a second."""
    history = History()
    history.add(look(0, 0), 1000.0)
    history.add(Look("sql", "sql", "/spool", None), 1005.0)
    history.add(look(5000, 0), 1010.0)
    assert [(piece.time, piece.accepted) for piece in history.pieces] == [(1000, 0), (1010, 0)]


def test_what_somebody_drops_by_hand_is_no_negative_rate() -> None:
    """The counts of a spool go down then."""
    history = History()
    history.add(look(100, 0), 1000.0)
    history.add(look(40, 0), 1003.0)
    assert history.pieces[0].accepted == 0


def test_the_page_that_comes_back_is_told_what_it_has_missed() -> None:
    """The piece in which it left, and those that followed."""
    history = History()
    for second in range(20):
        history.add(look(second, 0), 1000.0 + second)
    assert [piece.time for piece in history.since(1007.5)] == [1005, 1010, 1015]


@given(st.lists(st.tuples(st.floats(-20, 5000), st.integers(0, 500)), max_size=60))
def test_whatever_the_clock_does_the_pieces_are_in_order_and_no_more_than_an_hour(
    steps: list[tuple[float, int]],
) -> None:
    """One for each five seconds at most; no rate below nothing or above what has come."""
    history, now, accepted = History(), 1_000_000.0, 0
    for seconds, events in steps:
        now, accepted = now + seconds, accepted + events
        history.add(look(accepted, 0), now)
        times = [piece.time for piece in history.pieces]
        assert times == sorted(set(times))
        assert all(time % PIECE_SECONDS == 0 for time in times)
        assert times[-1] <= now < times[-1] + PIECE_SECONDS
        assert len(times) <= PIECES
        assert all(0 <= piece.accepted <= accepted for piece in history.pieces)
