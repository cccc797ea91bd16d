"""The queue between `publish` and delivery: what a queue must do, and the one in memory."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Collection, Sequence
from itertools import islice
from typing import Protocol

import msgspec

from event_brokers.errors import BrokerClosed, QueueFull
from event_brokers.event import Event

KEPT_DEAD_LETTERS = 1_000


class DeadLetter(msgspec.Struct, frozen=True):
    """An event that the broker will never take.

    Attributes:
        event: the event itself.
        reason: why the broker refuses it, a sentence.
        time: when it was buried, seconds since 1970.
        attempts: how often it was sent, 1 or more.
    """

    event: Event
    reason: str
    time: float
    attempts: int = 1

    def __repr__(self) -> str:
        return f"DeadLetter(id={self.event.id!r}, reason={self.reason!r})"


class Counts(msgspec.Struct, frozen=True):
    """How many events are where; accepted = delivered + pending + dead_letters.

    Attributes:
        oldest_pending_seconds: how long the oldest pending event has waited; None without one.
    """

    accepted: int
    delivered: int
    pending: int
    dead_letters: int
    oldest_pending_seconds: float | None


class Condition(msgspec.Struct, frozen=True):
    """How delivery goes.

    Attributes:
        state: connecting, connected, retrying or halted.
        last_error: why it is not connected, a sentence without secrets; None while all is well.
    """

    state: str
    last_error: str | None = None


class Queue(Protocol):
    """Where accepted events wait, in order, until the broker has confirmed them.

    Every method can be called from any thread. Events leave through `settle` and `bury` alone.
    """

    def append(self, events: Sequence[Event], timeout: float) -> None:
        """Take all of the events or none; an id that waits already is the same event.

        Parameters:
            events: in the order in which they shall leave.
            timeout: seconds to wait for room.

        Raises:
            QueueFull: there is no room for all of them.
            BrokerClosed: `close` was called.
        """

    def close(self) -> None:
        """Take no more events; those that wait can still leave."""

    def acquire(self) -> bool:
        """Return whether this process is the one that delivers; wait a moment where it is not."""

    def release(self) -> None:
        """Let another process deliver."""

    def dispose(self) -> None:
        """Let go of files; a later call opens them again."""

    def note(self, condition: Condition) -> None:
        """Keep how delivery goes, for whoever asks."""

    def condition(self) -> Condition | None:
        """Return how delivery goes, in whatever process it is; None where nobody has said it."""

    def peek(self, limit: int, size: int) -> list[Event]:
        """Return the oldest events, one at least, leaving them where they are.

        Parameters:
            limit: how many at most.
            size: bytes of all their bodies at most.
        """

    def settle(self, ids: Collection[str]) -> None:
        """Count events as delivered and let go of them."""

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        """Count events as dead letters and keep them for inspection."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters that are kept, oldest first."""

    def counts(self) -> Counts:
        """Return every count at one moment."""

    def wait_for_event(self, timeout: float | None) -> bool:
        """Wait until an event is pending or `wake` is called; return whether one is pending."""

    def wait_until_left(self, timeout: float | None) -> bool:
        """Wait until every event that is pending now has left; return whether it has."""

    def wake(self) -> None:
        """Let a waiting `wait_for_event` return."""


class MemoryQueue:
    """A bounded queue in memory.

    Parameters:
        max_pending: events that may wait, 1 or more.
        max_bytes: bytes that the bodies of all of them may have.
    """

    def __init__(self, max_pending: int, max_bytes: int) -> None:
        self._max_pending = max_pending
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._left = threading.Condition(self._lock)
        # not a dict: its iteration starts by skipping every slot that was emptied at the front
        self._pending: OrderedDict[str, tuple[Event, float]] = OrderedDict()
        self._accepted = self._delivered = self._buried = self._bytes = 0
        self._woken = self._closed = False
        self._condition: Condition | None = None
        self._dead_letters: deque[DeadLetter] = deque(maxlen=KEPT_DEAD_LETTERS)

    def append(self, events: Sequence[Event], timeout: float) -> None:
        with self._lock:
            patience = timeout if len(events) <= self._max_pending else 0.0
            self._left.wait_for(lambda: self._closed or not self._refusal(events), patience)
            if self._closed:
                raise BrokerClosed("the broker is closed and takes no more events")
            if refusal := self._refusal(events):
                raise QueueFull(refusal)
            self._add(events)
            self._arrived.notify()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._left.notify_all()

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass  # no other process can

    def dispose(self) -> None:
        pass  # there are none

    def note(self, condition: Condition) -> None:
        self._condition = condition

    def condition(self) -> Condition | None:
        return self._condition

    def peek(self, limit: int, size: int) -> list[Event]:
        with self._lock:
            events: list[Event] = []
            for event, _ in islice(self._pending.values(), limit):
                size -= len(event.body)
                if size < 0 and events:
                    break
                events.append(event)
            return events

    def settle(self, ids: Collection[str]) -> None:
        with self._lock:
            self._delivered += self._remove(ids)

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        with self._lock:
            self._dead_letters.extend(
                letter for letter in letters if letter.event.id in self._pending
            )
            self._buried += self._remove([letter.event.id for letter in letters])

    def dead_letters(self) -> list[DeadLetter]:
        with self._lock:
            return list(self._dead_letters)

    def counts(self) -> Counts:
        with self._lock:
            return Counts(
                accepted=self._accepted,
                delivered=self._delivered,
                pending=len(self._pending),
                dead_letters=self._buried,
                oldest_pending_seconds=self._oldest_pending_seconds(),
            )

    def wait_for_event(self, timeout: float | None) -> bool:
        with self._lock:
            self._arrived.wait_for(lambda: self._pending or self._woken, timeout)
            self._woken = False
            return bool(self._pending)

    def wait_until_left(self, timeout: float | None) -> bool:
        with self._lock:
            accepted = self._accepted
            return self._left.wait_for(lambda: self._departed() >= accepted, timeout)

    def wake(self) -> None:
        with self._lock:
            self._woken = True
            self._arrived.notify_all()

    def _refusal(self, events: Sequence[Event]) -> str | None:
        """Return why there is no room; events that wait already need none."""
        waiting = len(self._pending)
        if waiting + len(events) > self._max_pending:
            new = {event.id for event in events} - self._pending.keys()
            if waiting + len(new) > self._max_pending:
                return f"{waiting} events wait and delivery.max_pending is {self._max_pending}"
        if self._bytes + sum(len(event.body) for event in events) > self._max_bytes:
            return f"{self._bytes} bytes wait and delivery.max_bytes is {self._max_bytes}"
        return None

    def _add(self, events: Sequence[Event]) -> None:
        now = time.monotonic()
        for event in events:
            if event.id not in self._pending:
                self._pending[event.id] = (event, now)
                self._accepted += 1
                self._bytes += len(event.body)

    def _departed(self) -> int:
        return self._delivered + self._buried

    def _remove(self, ids: Collection[str]) -> int:
        removed = [self._pending.pop(event_id) for event_id in ids if event_id in self._pending]
        self._bytes -= sum(len(event.body) for event, _ in removed)
        self._left.notify_all()
        return len(removed)

    def _oldest_pending_seconds(self) -> float | None:
        if not self._pending:
            return None
        return time.monotonic() - next(iter(self._pending.values()))[1]
