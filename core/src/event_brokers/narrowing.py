"""Looks for the event that fails alone, and makes sure that it is the event and not the broker.

A plugin that does not foresee its client's errors fails on one bad event exactly as it fails while
the broker is down. So a batch that fails is halved until one event is left. That one is condemned
only when another event has been confirmed while it kept failing: an outage buries nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from event_brokers.event import Event
from event_brokers.queues.protocol import Queue

_CANDIDATES = 64  # events behind the suspect among which one is tried


class Condemned(msgspec.Struct, frozen=True):
    """An event that kept failing alone while another one was confirmed.

    Attributes:
        event: the event.
        reason: how it failed, in words.
        attempts: how often.
    """

    event: Event
    reason: str
    attempts: int


class Narrowing:
    """Decides how many events the next batch has, and which.

    Parameters:
        largest: events in a batch while all is well.
        max_attempts: how often an event may fail alone before it is condemned; None for ever.
    """

    def __init__(self, largest: int, max_attempts: int | None) -> None:
        self._largest = largest
        self._max_attempts = max_attempts
        self._limit = largest
        self._suspect: Event | None = None
        self._reason = ""
        self._attempts = 0
        self._trials = 0
        self._tried: Event | None = None  # sent in the suspect's place

    @property
    def suspect_id(self) -> str | None:
        """The id of the event that fails alone, and for which all others wait."""
        return None if self._suspect is None else self._suspect.id

    def next_batch(self, queue: Queue, size: int) -> list[Event]:
        """Return the events to publish next.

        Parameters:
            queue: where they wait.
            size: bytes of all of them at most.
        """
        self._tried = None
        if self._is_at_its_last():
            self._trials += 1
            # the suspect itself every other time: perhaps it was an outage, and it is over
            if self._trials % 2 and (other := self._other_than_suspect(queue, size)):
                self._tried = other
                return [other]
        return queue.peek(self._limit, size)

    def confirmed(self) -> Condemned | None:
        """Note that the batch was confirmed; return the event that is thereby condemned."""
        condemned = None
        if self._suspect is not None and self._tried is not None:
            condemned = Condemned(self._suspect, self._reason, self._attempts)
        self._limit = min(self._largest, self._limit * 2)
        self.answered()
        return condemned

    def answered(self) -> None:
        """Note that the broker has answered, so that nothing fails alone any more."""
        self._suspect, self._attempts, self._trials, self._tried = None, 0, 0, None

    def halve(self, events: Sequence[Event]) -> None:
        """Make the next batch half as large as this one."""
        self._limit = max(1, len(events) // 2)

    def failed(self, events: Sequence[Event], reason: str) -> bool:
        """Note that a batch failed for no known reason; return whether a smaller one is next.

        Parameters:
            events: the batch.
            reason: how it failed, in words.
        """
        if len(events) > 1:
            self.halve(events)
            return True
        if self._tried is not None:
            return False
        event = events[0]
        if self._suspect is None or self._suspect.id != event.id:
            self._suspect, self._attempts, self._trials = event, 0, 0
        self._reason = reason
        self._attempts += 1
        return False

    def _is_at_its_last(self) -> bool:
        return self._max_attempts is not None and self._attempts >= self._max_attempts

    def _other_than_suspect(self, queue: Queue, size: int) -> Event | None:
        """Return an event of another conversation, which may leave before the suspect."""
        suspect = self._suspect
        if suspect is None:
            return None
        others = [
            event
            for event in queue.peek(_CANDIDATES, size)
            if event.id != suspect.id
            and (event.sender_id is None or event.sender_id != suspect.sender_id)
        ]
        # each time another one: the first may be as bad as the suspect
        return others[self._trials // 2 % len(others)] if others else None
