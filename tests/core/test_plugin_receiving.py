"""What the hook `consume` owes its caller, whatever the broker hands over."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from event_brokers.event import ReceivedEvent
from event_brokers.plugin.receiving import receive


def event(number: int) -> ReceivedEvent:
    """Return an event that knows its number."""
    return ReceivedEvent(b"{}", f"message {number}")


@given(st.lists(st.integers(0, 3), max_size=6), st.integers(0, 20))
def test_each_is_acknowledged_when_the_next_is_asked_for(sizes: list[int], turns: int) -> None:
    """All that was yielded but the last; that one is given back when the consumer is closed."""
    numbers = iter(range(100))
    batches = [[(number, event(number)) for number in islice(numbers, size)] for size in sizes]
    acknowledged: list[int] = []
    given_back: list[int] = []
    received = receive(iter(batches), acknowledged.append, given_back.append)
    yielded = list(islice(received, turns))
    received.close()  # type: ignore[attr-defined]
    seen = [f"message {number}" for number in [*acknowledged, *given_back]]
    assert seen == [each.origin for each in yielded if each is not None]
    assert bool(given_back) is (bool(yielded) and yielded[-1] is not None and len(yielded) == turns)


def test_where_nothing_comes_a_turn_is_given() -> None:
    """None for each batch that is empty, so that a consumer can be closed."""
    assert list(receive([[], [(1, event(1))], []])) == [None, event(1), None]


def test_what_reading_raises_is_raised_and_releases_what_it_holds() -> None:
    """The event before it was acknowledged, for the next was asked for."""
    released: list[str] = []
    acknowledged: list[int] = []

    def batches() -> Iterator[list[tuple[int, ReceivedEvent]]]:
        try:
            yield [(1, event(1))]
            raise OSError("lost")
        finally:
            released.append("released")

    received = receive(batches(), acknowledged.append)
    assert next(received) == event(1)
    assert acknowledged == []
    try:
        next(received)
    except OSError:
        assert (acknowledged, released) == ([1], ["released"])
    else:
        raise AssertionError("nothing was raised")


def test_closing_closes_the_reading() -> None:
    """What `batches` holds is released when the consumer is closed, and the event given back."""
    calls: list[str] = []

    def batches() -> Iterator[list[tuple[int, ReceivedEvent]]]:
        try:
            while True:
                yield [(1, event(1))]
        finally:
            calls.append("released")

    received = receive(batches(), give_back=lambda number: calls.append(f"given back {number}"))
    next(received)
    received.close()  # type: ignore[attr-defined]
    del received
    assert calls == ["given back 1", "released"]
