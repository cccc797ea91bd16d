"""What a queue does: events wait in it, in order, until the broker has confirmed them.

The threads that call `append`, `seal`, `counts`, `dead_letters`, `find`, `latest`, `size`,
`wait_until_left` and `close` belong to the application: a signal handler, a cancellation or a
destructor can strike at any line, raise there, or call any of these again. So they hold no lock and
no transaction that others need, and wait on nothing that an interrupted call could have left
behind. All the other methods are called on the delivery thread alone, which no signal interrupts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import msgspec

from event_brokers.condition import Condition
from event_brokers.errors import SpoolError
from event_brokers.event import Event
from event_brokers.measurements import Histogram


class NotMade(SpoolError):
    """Nobody has published into the spool yet.

    Parameters:
        folder: of the spool.
    """

    def __init__(self, folder: object) -> None:
        super().__init__(f"'{folder}': nothing was published into this spool yet")


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


class DeliveryRight(Protocol):
    """Which process delivers the events of a queue, and what it says about delivery.

    Used on the delivery thread, but for `condition`.
    """

    def acquire(self) -> bool:
        """Return whether this process is the one that delivers; wait a moment where it is not.

        Raises:
            ConfigurationError: the queue belongs to another configuration now.
        """

    def release(self) -> None:
        """Let another process deliver."""

    def note(self, condition: Condition) -> None:
        """Say how delivery goes, for whoever asks, in whatever process."""

    def condition(self) -> Condition | None:
        """Return how delivery goes, in whatever process it is; None where nobody has said it."""


class Queue(Protocol):
    """Where accepted events wait, in order, until the broker has confirmed them.

    Events leave through `settle` and `bury` alone.
    """

    @property
    def right(self) -> DeliveryRight:
        """Who may deliver."""

    @property
    def waited(self) -> Histogram:
        """How many seconds the events that were settled in this process had waited."""

    def append(self, events: Sequence[Event], timeout: float) -> None:
        """Take all of the events or none; an id that waits already is the same event.

        Parameters:
            events: in the order in which they shall leave.
            timeout: seconds to wait for room.

        Raises:
            QueueFull: there is no room for all of them.
            SpoolError: they cannot be stored, or nobody knows whether they were.
            BrokerClosed: `seal` was called.
        """

    def seal(self) -> None:
        """Take no more events; those that wait can still leave."""

    def shut(self) -> bool:
        """Refuse also what was on its way in when it was sealed; return whether nothing is pending.

        Called by who delivers no more, and then looks once more: what had come in still leaves.
        """

    def counts(self) -> Counts:
        """Return every count at one moment."""

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters that are kept, oldest first."""

    def find(self, event_id: str) -> Event | DeadLetter | None:
        """Return a pending event or a dead letter; None where neither is kept under this id."""

    def latest(self, limit: int) -> list[Event]:
        """Return the last of the pending events, the latest first.

        Parameters:
            limit: how many at most.
        """

    def size(self) -> int:
        """Return the bytes that it takes, in memory or on disk."""

    def wait_until_left(
        self, timeout: float | None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until every event that is pending now has left; return whether it has.

        Parameters:
            timeout: seconds; None waits for ever.
            is_cancelled: asked at every change, and four times a second; ends the waiting.
        """

    def is_on_own_thread(self) -> bool:
        """Return whether the caller is on a thread of the queue's, where waiting never ends."""

    def close(self) -> None:
        """Let go of files and threads; looking at the queue afterwards still works."""

    def wait_for_event(self, timeout: float | None) -> bool:
        """Wait until an event is pending or `wake` is called; return whether one is pending."""

    def wake(self) -> None:
        """Let a waiting `wait_for_event` return; called from any thread."""

    def peek(self, limit: int, size: int) -> list[Event]:
        """Return the oldest events, one at least, leaving them where they are.

        Parameters:
            limit: how many at most.
            size: bytes of all of them at most.
        """

    def settle(self, ids: Collection[str]) -> int:
        """Count events as delivered and let go of them; return how many were pending."""

    def bury(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        """Count pending events as dead letters and keep them; return those that were pending.

        Raises:
            ConfigurationError: there is no room for dead letters; none was buried.
        """

    def used_places(self) -> frozenset[str]:
        """Return the names of the places in which events of this queue were confirmed."""

    def remember_places(self, places: Collection[str]) -> None:
        """Add to the names of these places."""

    def before_fork(self) -> None:
        """End what must not be copied half done, within a second; called in the parent."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Let go of what was copied; no other thread exists, and another queue is made there."""
