"""The queue in memory keeps order, bounds and accounts."""

from __future__ import annotations

import threading
from collections.abc import Collection

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from event_brokers import BrokerClosed, DeadLetter, Event, QueueFull
from event_brokers.bell import Bell
from event_brokers.measurements import DELIVERY_SECONDS, Histogram
from event_brokers.queues.memory import KEPT_DEAD_LETTERS, MemoryQueue
from waiting import wait_until

MAX_PENDING = 10
MAX_BYTES = 1_000_000


def event(event_id: str) -> Event:
    """Return an event with an id."""
    return Event(id=event_id, body=b"{}")


class MemoryQueueMachine(RuleBasedStateMachine):
    """Compares the queue with a plain list, whatever is called in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue(MAX_PENDING, MAX_BYTES, MAX_BYTES)
        self.pending: list[str] = []
        self.accepted = self.delivered = self.buried = 0
        self.made = 0

    @rule(count=st.integers(0, MAX_PENDING + 2), again=st.booleans())
    def append(self, count: int, again: bool) -> None:
        """Append new events, perhaps with one that waits already."""
        ids = [f"e{self.made + index}" for index in range(count)]
        self.made += count
        known = self.pending[:1] if again else []
        try:
            self.queue.append([event(event_id) for event_id in ids + known], timeout=0)
        except QueueFull:
            assert len(self.pending) + count > MAX_PENDING
            return
        assert len(self.pending) + count <= MAX_PENDING
        self.pending += ids
        self.accepted += count

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Settle some of the events, and one that is unknown."""
        ids = data.draw(
            st.lists(st.sampled_from(self.pending), unique=True) if self.pending else st.just([])
        )
        self.queue.settle([*ids, "unknown"])
        self.pending = [known for known in self.pending if known not in ids]
        self.delivered += len(ids)

    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        """Bury one of the events."""
        if self.pending:
            culprit = data.draw(st.sampled_from(self.pending))
            self.queue.bury([DeadLetter(event(culprit), "refused", 0.0)])
            self.pending.remove(culprit)
            self.buried += 1

    @invariant()
    def counts_are_exact(self) -> None:
        """accepted = delivered + pending + dead letters, and never more than allowed wait."""
        counts = self.queue.counts()
        assert (counts.accepted, counts.delivered, counts.pending, counts.dead_letters) == (
            self.accepted, self.delivered, len(self.pending), self.buried
        )  # fmt: skip
        assert counts.accepted == counts.delivered + counts.pending + counts.dead_letters
        assert counts.pending <= MAX_PENDING
        assert (counts.oldest_pending_seconds is None) == (not self.pending)

    @invariant()
    def order_is_kept(self) -> None:
        """Events leave in the order in which they came."""
        assert [event.id for event in self.queue.peek(MAX_PENDING, MAX_BYTES)] == self.pending
        assert [event.id for event in self.queue.peek(2, MAX_BYTES)] == self.pending[:2]


TestMemoryQueue = MemoryQueueMachine.TestCase
TestMemoryQueue.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_bell_rings_for_all_and_no_one_who_was_interrupted_keeps_it_from_them() -> None:
    """Each waits on a lock of its own: one that was left behind harms nobody."""
    bell = Bell()
    is_true: list[bool] = []

    def interrupted() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bell.wait_for(interrupted, 20)
    threads = [threading.Thread(target=bell.wait_for, args=(lambda: is_true, 20)) for _ in "abc"]
    for thread in threads:
        thread.start()
    assert not bell.wait_for(lambda: is_true, 0.01)
    is_true.append(True)
    bell.ring()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


def test_a_full_queue_waits_for_room_as_long_as_it_is_told() -> None:
    """`timeout` lets a publisher wait until something has left."""
    queue = MemoryQueue(1, MAX_BYTES, MAX_BYTES)
    queue.append([event("first")], timeout=0)
    publisher = threading.Thread(target=queue.append, args=([event("second")], 20))
    publisher.start()
    queue.settle(["first"])
    publisher.join(20)
    assert [waiting.id for waiting in queue.peek(5, MAX_BYTES)] == ["second"]


def test_more_events_than_can_ever_wait_are_refused_at_once() -> None:
    """No time helps a batch that is larger than the queue."""
    with pytest.raises(QueueFull):
        MemoryQueue(2, MAX_BYTES, MAX_BYTES).append(
            [event(str(number)) for number in range(3)], timeout=3600
        )


def test_closing_refuses_those_who_wait_for_room() -> None:
    """A publisher that waits learns that the broker was closed."""
    queue = MemoryQueue(1, MAX_BYTES, MAX_BYTES)
    queue.append([event("first")], timeout=0)
    raised: list[BaseException] = []

    def publish() -> None:
        try:
            queue.append([event("second")], timeout=3600)
        except BrokerClosed as error:
            raised.append(error)

    publisher = threading.Thread(target=publish)
    publisher.start()
    queue.seal()
    publisher.join(20)
    assert len(raised) == 1


def test_dead_letters_are_bounded_and_their_count_is_exact() -> None:
    """The latest are kept for inspection; every one is counted."""
    many = KEPT_DEAD_LETTERS + 5
    queue = MemoryQueue(many, MAX_BYTES, MAX_BYTES)
    queue.append([event(str(number)) for number in range(many)], timeout=0)
    queue.bury([DeadLetter(event(str(number)), "refused", 0.0) for number in range(many)])
    assert queue.counts().dead_letters == many
    kept = queue.dead_letters()
    assert (len(kept), kept[0].event.id, kept[-1].event.id) == (
        KEPT_DEAD_LETTERS,
        "5",
        str(many - 1),
    )


def test_dead_letters_are_bounded_in_bytes(caplog: pytest.LogCaptureFixture) -> None:
    """200 refused events of 2 MB are not 400 MB: the oldest go, all are counted, one warning."""
    queue = MemoryQueue(500, 2**40, max_dead_letter_bytes=10_000)
    large = [Event(id=str(number), body=b"x" * 2_000) for number in range(200)]
    for each in large:
        queue.append([each], timeout=0)
        queue.bury([DeadLetter(each, "too large", 0.0)])
    assert queue.counts().dead_letters == 200
    assert [letter.event.id for letter in queue.dead_letters()] == [str(n) for n in range(195, 200)]
    assert caplog.text.count("delivery.max_dead_letter_bytes") == 1


def test_headers_count_in_the_bytes_that_wait() -> None:
    """An event of two bytes with a large header is large."""
    queue = MemoryQueue(10, 1_000, MAX_BYTES)
    heavy = Event(id="heavy", body=b"{}", given_headers={"trace": "x" * 600})
    queue.append([heavy], timeout=0)
    with pytest.raises(QueueFull, match=r"bytes wait and delivery\.max_bytes is 1000"):
        queue.append([Event(id="more", body=b"{}", given_headers={"trace": "x" * 600})], timeout=0)
    queue.settle(["heavy"])
    queue.append([Event(id="more", body=b"{}", given_headers={"trace": "x" * 600})], timeout=0)


def test_counts_agree_while_events_come_and_go() -> None:
    """accepted = delivered + pending + dead letters, whatever other threads do meanwhile."""
    queue = MemoryQueue(10**6, 2**40, MAX_BYTES)
    ended = threading.Event()
    accepted = 0

    def deliver() -> None:
        while not ended.is_set() or queue.counts().pending:
            batch = queue.peek(50, MAX_BYTES)
            queue.settle([each.id for each in batch])

    delivering = threading.Thread(target=deliver)
    delivering.start()
    for number in range(3_000):
        queue.append([event(f"e{number}")], timeout=0)
        accepted += 1
        assert queue.counts().accepted == accepted
    ended.set()
    delivering.join(60)
    assert queue.counts().delivered == accepted


def test_a_dead_letter_prints_without_its_body() -> None:
    """A repr in a log shows no conversation."""
    letter = DeadLetter(Event(id="x", body=b'{"text": "private"}'), "refused", 0.0)
    assert "private" not in f"{letter!r} {letter}"


def test_wake_is_not_lost_when_nobody_waits_yet() -> None:
    """Whoever is told to look again looks again, however the threads run."""
    queue = MemoryQueue(1, MAX_BYTES, MAX_BYTES)
    queue.wake()
    assert queue.wait_for_event(timeout=None) is False
    assert wait_until(lambda: not queue.wait_for_event(timeout=0.01))


def test_how_long_events_have_waited_is_counted_before_they_have_left() -> None:
    """Whoever waits until they have left finds them counted."""
    queue = MemoryQueue(MAX_PENDING, MAX_BYTES, MAX_BYTES)
    queue.append([event("a"), event("b")], 0)
    seen: list[tuple[int, bool]] = []

    class Waited(Histogram):
        """Looks what has left when it counts."""

        def add_ages(self, times: Collection[float], now: float) -> None:
            """Look, and count."""
            seen.append((queue.counts().delivered, not times))
            super().add_ages(times, now)

    queue.waited = Waited(DELIVERY_SECONDS)
    assert queue.settle(["a", "b"]) == 2
    assert seen == [(0, False)]
    assert sum(queue.waited.distribution().counts) == queue.counts().delivered == 2
