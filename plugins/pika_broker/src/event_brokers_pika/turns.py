"""Whose turn it is: an event waits until the one before it in its line was taken."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from event_brokers import Event

LineOf = Callable[[Event], str | None]


def all_at_once(_event: Event) -> str | None:
    """Let no event wait for another one."""
    return None


def one_by_one(_event: Event) -> str | None:
    """Let each event wait for the one before it."""
    return ""


def one_of_each_conversation(event: Event) -> str | None:
    """Let each event wait for the one before it in its conversation, if it has one."""
    return event.sender_id


class Turns:
    """The events of a batch, in lines of which only the first is under way.

    Behind an event that was not taken its line stays where it is, so nothing of it is sent.

    Parameters:
        events: the batch.
        line_of: names the line of an event; None for one that waits for nobody.

    Attributes:
        first: the events that wait for nobody, in order.
    """

    def __init__(self, events: Iterable[Event], line_of: LineOf) -> None:
        self.first: list[Event] = []
        self._line_of = line_of
        self._waiting: dict[str | None, deque[Event]] = {}
        for event in events:
            self._line_up(event)

    def after(self, taken: Iterable[Event]) -> list[Event]:
        """Return the events whose turn it is.

        Parameters:
            taken: those that were taken now.
        """
        lines = (self._waiting.get(self._line_of(event)) for event in taken)
        return [line.popleft() for line in lines if line]

    def end(self) -> list[Event]:
        """Return all that wait: none has to wait any more."""
        left = [event for line in self._waiting.values() for event in line]
        self._waiting.clear()
        return left

    def _line_up(self, event: Event) -> None:
        line = self._line_of(event)
        if line in self._waiting:
            self._waiting[line].append(event)
            return
        self.first.append(event)
        if line is not None:
            self._waiting[line] = deque()
