"""Looks for the event that fails alone, and makes sure that it is the event and not the broker.

A plugin that does not foresee its client's errors fails on one bad event exactly as it fails while
the broker is down. So a batch that fails is halved until one event is left. That one is condemned
only when it has failed between two events that were confirmed, one right before and one right
after it: an outage buries nothing.
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
        # one failure between two confirms may still be the end of a connection
        self._needed = None if max_attempts is None else max(2, max_attempts)
        self._limit = largest
        self._suspect: Event | None = None
        self._reason = ""
        self._attempts = 0
        self._trials = 0
        self._is_trial = False  # another event was sent in the suspect's place
        self._confirmed_before = False  # the latest batch was confirmed, on this connection
        self._failed_between = False  # and then the suspect failed

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
        other = self._other_than_suspect(queue, size) if self._wants_trial() else None
        self._is_trial = other is not None
        return queue.peek(self._limit, size) if other is None else [other]

    def confirmed(self) -> Condemned | None:
        """Note that the batch was confirmed; return the event that is thereby condemned."""
        self._confirmed_before = True
        if self._is_trial and not self._failed_between:
            return None  # now the suspect, on the same connection
        condemned = None
        if self._is_trial and self._suspect is not None:
            condemned = Condemned(self._suspect, self._reason, self._attempts)
        self._limit = min(self._largest, self._limit * 2)
        self.answered()
        return condemned

    def answered(self) -> None:
        """Note that the broker has answered, so that nothing fails alone any more."""
        self._suspect, self._attempts, self._trials = None, 0, 0
        self._failed_between = False

    def interrupted(self) -> None:
        """Note that the broker was away: what failed before proves nothing."""
        self._confirmed_before = self._failed_between = False

    def halve(self, events: Sequence[Event]) -> None:
        """Make the next batch half as large as this one."""
        self._limit = max(1, len(events) // 2)

    def failed(self, events: Sequence[Event], reason: str) -> bool:
        """Note that a batch failed for no known reason; return whether a smaller one is next.

        Parameters:
            events: the batch.
            reason: how it failed, in words.
        """
        was_confirmed_before = self._confirmed_before
        self.interrupted()
        if len(events) > 1:
            self.halve(events)
            return True
        if self._is_trial:
            return False
        if self._suspect is None or self._suspect.id != events[0].id:
            self._suspect, self._attempts, self._trials = events[0], 0, 0
        self._limit = 1
        self._reason = reason
        self._attempts += 1
        self._failed_between = was_confirmed_before
        return False

    def _wants_trial(self) -> bool:
        """Return whether another event is to be sent in the suspect's place."""
        if self._needed is None or self._attempts < self._needed - 1:
            return False
        if self._confirmed_before:
            return False
        if self._failed_between:
            return self._attempts >= self._needed
        # the suspect itself every other time: perhaps it was an outage, and it is over
        self._trials += 1
        return self._trials % 2 == 1

    def _other_than_suspect(self, queue: Queue, size: int) -> Event | None:
        """Return an event of another conversation, which may leave before the suspect."""
        suspect = self._suspect
        if suspect is None:
            return None
        conversations = {suspect.sender_id}
        others = []
        for event in queue.peek(_CANDIDATES, size):
            # the first of its conversation: none overtakes another one of its own
            if event.sender_id is None or event.sender_id not in conversations:
                conversations.add(event.sender_id)
                others.append(event)
        others = [event for event in others if event.id != suspect.id]
        # each time another one: the first may be as bad as the suspect
        return others[self._trials // 2 % len(others)] if others else None
