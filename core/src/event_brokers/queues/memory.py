"""The queue in memory: takes events in microseconds, without a lock on the caller's thread.

What callers change, they change with one call into C each, which nothing can interrupt: all events
of a call enter `_pending` with one `update`. Their order there is the order in which they leave.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from queue import Empty, SimpleQueue
from threading import get_ident

import msgspec

from event_brokers.bell import Bell
from event_brokers.condition import Condition
from event_brokers.errors import BrokerClosed, QueueFull
from event_brokers.event import Event
from event_brokers.log import logger
from event_brokers.measurements import DELIVERY_SECONDS, Histogram
from event_brokers.queues.protocol import Counts, DeadLetter

KEPT_DEAD_LETTERS = 1_000
_CANCEL_SECONDS = 0.25  # between two looks whether somebody still waits

_Entry = tuple[Event, float]  # and when it came, on the clock of `time.monotonic`


class OnlyProcess:
    """The right to deliver from memory, which no other process can have."""

    def __init__(self) -> None:
        self._condition: Condition | None = None

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        """Do nothing: nobody waits for it."""

    def note(self, condition: Condition) -> None:
        self._condition = condition

    def condition(self) -> Condition | None:
        return self._condition


class _Departed(msgspec.Struct, frozen=True):
    """How many events have left, and how."""

    delivered: int = 0
    buried: int = 0


class MemoryQueue:
    """A bounded queue in memory.

    Threads that publish at the same moment may exceed a bound by what each of them brings.

    Parameters:
        max_pending: events that may wait, 1 or more.
        max_bytes: bytes that all of them may take.
        max_dead_letter_bytes: bytes that the dead letters may take; the oldest are forgotten.
    """

    def __init__(self, max_pending: int, max_bytes: int, max_dead_letter_bytes: int) -> None:
        self.right = OnlyProcess()
        self.waited = Histogram(DELIVERY_SECONDS)
        self._max_pending = max_pending
        self._max_bytes = max_bytes
        # not a dict: its iteration starts by skipping every slot that was emptied at the front
        self._pending: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0
        self._is_sealed = self._is_shut = self._is_woken = False
        self._arrived: SimpleQueue[None] = SimpleQueue()
        self._left = Bell()
        self._departed = _Departed()
        self._departing: int | None = None  # the thread on which events are just leaving
        self._dead_letters = _DeadLetters(max_dead_letter_bytes)
        self._places: frozenset[str] = frozenset()

    def append(self, events: Sequence[Event], timeout: float) -> None:
        if self._takes(events):
            return
        patience = timeout if len(events) <= self._max_pending else 0.0
        if patience <= 0 or not self._left.wait_for(lambda: self._takes(events), patience):
            raise QueueFull(self._refusal(events))

    def seal(self) -> None:
        self._is_sealed = True
        self._left.ring()

    def shut(self) -> bool:
        self._is_shut = True
        return not self._pending

    def counts(self) -> Counts:
        while True:
            departed, pending, since = self._departed, len(self._pending), self._oldest_time()
            # another thread is about to count what it has taken out: look again
            if departed is self._departed and self._departing in {None, get_ident()}:
                return Counts(
                    accepted=departed.delivered + departed.buried + pending,
                    delivered=departed.delivered,
                    pending=pending,
                    dead_letters=departed.buried,
                    oldest_pending_seconds=None if since is None else time.monotonic() - since,
                )
            time.sleep(0)

    def dead_letters(self) -> list[DeadLetter]:
        return self._dead_letters.kept()

    def find(self, event_id: str) -> Event | DeadLetter | None:
        entry = self._pending.get(event_id)
        if entry is not None:
            return entry[0]
        kept = (each for each in self.dead_letters() if each.event.id == event_id)
        return next(kept, None)

    def latest(self, limit: int) -> list[Event]:
        while True:
            try:
                return [event for event, _ in list(islice(reversed(self._pending.values()), limit))]
            except RuntimeError:
                continue  # as below

    def size(self) -> int:
        return self._bytes

    def wait_until_left(
        self, timeout: float | None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        accepted = self.counts().accepted
        self._left.wait_for(
            lambda: self._has_left(accepted) or is_cancelled(), timeout, _CANCEL_SECONDS
        )
        return self._has_left(accepted)

    def is_on_own_thread(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing: there are neither files nor threads."""

    def wait_for_event(self, timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not (self._pending or self._is_woken):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                self._arrived.get(timeout=left)
            except Empty:
                break
        self._is_woken = False
        return bool(self._pending)

    def wake(self) -> None:
        self._is_woken = True
        self._arrived.put(None)

    def peek(self, limit: int, size: int) -> list[Event]:
        events: list[Event] = []
        for event, _ in self._oldest(limit):
            size -= event.size
            if size < 0 and events:
                break
            events.append(event)
        return events

    def settle(self, ids: Collection[str]) -> int:
        with self._departure():
            removed = self._remove(ids)
            # before they have left: whoever waits for that may look at once
            self.waited.add_ages([since for _, since in removed], time.monotonic())
            self._departed = msgspec.structs.replace(
                self._departed, delivered=self._departed.delivered + len(removed)
            )
        return len(removed)

    def bury(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        with self._departure():
            buried = [letter for letter in letters if self._remove([letter.event.id])]
            self._dead_letters.keep(buried)
            self._departed = msgspec.structs.replace(
                self._departed, buried=self._departed.buried + len(buried)
            )
        return buried

    def used_places(self) -> frozenset[str]:
        return self._places

    def remember_places(self, places: Collection[str]) -> None:
        self._places |= frozenset(places)

    def before_fork(self) -> None:
        """Do nothing: a copy of memory harms nobody."""

    def after_fork_in_parent(self) -> None:
        """Do nothing."""

    def after_fork_in_child(self) -> None:
        """Do nothing: the parent delivers what it has."""

    def _takes(self, events: Sequence[Event]) -> bool:
        """Take all of the events, if there is room; return whether they are in the queue."""
        self._refuse_where_sealed()
        now, pending, size = time.monotonic(), self._pending, 0
        new: dict[str, _Entry] = {}
        for event in events:
            if event.id not in pending and event.id not in new:
                new[event.id] = event, now
                size += event.size
        if len(pending) + len(new) > self._max_pending or self._bytes + size > self._max_bytes:
            return not new  # what waits already needs no room
        pending.update(new)
        self._bytes += size
        if self._is_shut and self._remove(list(new)):
            self._refuse_where_sealed()  # meanwhile, and nobody delivers any more
        if self._arrived.empty():  # one token wakes the delivery for all that came before it looks
            self._arrived.put(None)
        return True

    def _refuse_where_sealed(self) -> None:
        if self._is_sealed:
            raise BrokerClosed("the broker is closed and takes no more events")

    def _refusal(self, events: Sequence[Event]) -> str:
        waiting = len(self._pending)
        if waiting + len(events) <= self._max_pending:
            return f"{self._bytes} bytes wait and delivery.max_bytes is {self._max_bytes}"
        return f"{waiting} events wait and delivery.max_pending is {self._max_pending}"

    def _oldest(self, limit: int) -> list[_Entry]:
        while True:
            try:
                return list(islice(self._pending.values(), limit))
            except RuntimeError:
                continue  # a destructor that the list's own memory set off has published

    def _oldest_time(self) -> float | None:
        return next((since for _, since in self._oldest(1)), None)

    def _has_left(self, accepted: int) -> bool:
        return self._departed.delivered + self._departed.buried >= accepted

    @contextmanager
    def _departure(self) -> Iterator[None]:
        self._departing = get_ident()
        try:
            yield
        finally:
            self._departing = None
            self._left.ring()

    def _remove(self, ids: Collection[str]) -> list[_Entry]:
        removed = [entry for id_ in ids if (entry := self._pending.pop(id_, None)) is not None]
        self._bytes -= sum([event.size for event, _ in removed])
        if not self._pending:
            self._bytes = 0  # whoever was interrupted after adding an event has not counted it
        return removed


class _DeadLetters:
    """The latest dead letters, bounded in number and in bytes.

    Parameters:
        max_bytes: of their events.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._letters: deque[DeadLetter] = deque()
        self._bytes = 0
        self._has_warned = False

    def kept(self) -> list[DeadLetter]:
        return list(self._letters)

    def keep(self, letters: Sequence[DeadLetter]) -> None:
        for letter in letters:
            self._letters.append(letter)
            self._bytes += letter.event.size
        while len(self._letters) > KEPT_DEAD_LETTERS:
            self._forget_oldest()
        while self._bytes > self._max_bytes:
            self._forget_oldest()
            self._warn()

    def _forget_oldest(self) -> None:
        self._bytes -= self._letters.popleft().event.size

    def _warn(self) -> None:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "dead letters take more than delivery.max_dead_letter_bytes, %d bytes; the oldest "
                "are counted, but kept no longer", self._max_bytes,
            )  # fmt: skip
