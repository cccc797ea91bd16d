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

    def peek(self, limit: int) -> list[Event]:
        """Return the oldest events, up to `limit`, leaving them where they are."""

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

    def wait_until_left(self, accepted: int, timeout: float | None) -> bool:
        """Wait until as many events have left as were accepted at some moment before."""

    def wake(self) -> None:
        """Let a waiting `wait_for_event` return."""


class MemoryQueue:
    """A bounded queue in memory.

    Parameters:
        max_pending: events that may wait, 1 or more.
    """

    def __init__(self, max_pending: int) -> None:
        self._max_pending = max_pending
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._left = threading.Condition(self._lock)
        # not a dict: its iteration starts by skipping every slot that was emptied at the front
        self._pending: OrderedDict[str, tuple[Event, float]] = OrderedDict()
        self._accepted = self._delivered = self._buried = 0
        self._woken = self._closed = False
        self._dead_letters: deque[DeadLetter] = deque(maxlen=KEPT_DEAD_LETTERS)

    def append(self, events: Sequence[Event], timeout: float) -> None:
        with self._lock:
            patience = timeout if len(events) <= self._max_pending else 0.0
            has_room = self._left.wait_for(lambda: self._closed or self._has_room(events), patience)
            if self._closed:
                raise BrokerClosed("the broker is closed and takes no more events")
            if not has_room:
                raise QueueFull(
                    f"{len(self._pending)} events wait and delivery.max_pending is "
                    f"{self._max_pending}"
                )
            now = time.monotonic()
            before = len(self._pending)
            for event in events:
                self._pending.setdefault(event.id, (event, now))
            self._accepted += len(self._pending) - before
            self._arrived.notify()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._left.notify_all()

    def peek(self, limit: int) -> list[Event]:
        with self._lock:
            return [event for event, _ in islice(self._pending.values(), limit)]

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

    def wait_until_left(self, accepted: int, timeout: float | None) -> bool:
        with self._lock:
            return self._left.wait_for(lambda: self._departed() >= accepted, timeout)

    def wake(self) -> None:
        with self._lock:
            self._woken = True
            self._arrived.notify_all()

    def _has_room(self, events: Sequence[Event]) -> bool:
        room = self._max_pending - len(self._pending)
        return (
            len(events) <= room
            or len({event.id for event in events} - self._pending.keys()) <= room
        )

    def _departed(self) -> int:
        return self._delivered + self._buried

    def _remove(self, ids: Collection[str]) -> int:
        removed = sum(self._pending.pop(event_id, None) is not None for event_id in ids)
        self._left.notify_all()
        return removed

    def _oldest_pending_seconds(self) -> float | None:
        if not self._pending:
            return None
        return time.monotonic() - next(iter(self._pending.values()))[1]
