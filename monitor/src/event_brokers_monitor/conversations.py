"""Conversations as the page knows them: what passed, what waits, and what was given up."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import msgspec

from event_brokers import DeadLetter, Event
from event_brokers.destinations import Destination
from event_brokers_monitor.passing import Passed, shown_body

MOST = 50
_MOST_LETTERS = 10_000
_MOST_WAITING = 500


class Moment(msgspec.Struct, frozen=True):
    """One event of a conversation.

    Attributes:
        sender_id: the conversation.
        time: when it was seen, buried or happened, seconds since 1970; None where nobody said.
        id: the event's.
        type: its `event`.
        where: "passed", "waits" or "dead letter".
        reason: why it is a dead letter.
        body: the beginning of its body; None where bodies are not shown.
    """

    sender_id: str
    time: float | None
    id: str | None
    type: str | None
    where: str
    reason: str | None = None
    body: str | None = None


class Conversation(msgspec.Struct):
    """How much is known of one conversation.

    Attributes:
        sender_id: which one.
        events: that are known of it.
        waiting: of them.
        dead_letters: of them.
        latest: the time of the latest one; None where nobody said.
    """

    sender_id: str
    events: int = 0
    waiting: int = 0
    dead_letters: int = 0
    latest: float | None = None


def moments(destination: Destination, passed: list[Passed], shows_bodies: bool) -> Iterator[Moment]:
    """Yield every event of a conversation that is known, in no order.

    Parameters:
        destination: what waits there, and its dead letters, are read.
        passed: what was seen.
        shows_bodies: whether bodies are shown.

    Raises:
        SpoolError: the spool cannot be read.
    """
    with destination.dead_letters() as letters:
        buried = {letter.event.id: letter for letter in islice(letters, _MOST_LETTERS)}
    waiting = {event.id: event for event in destination.latest(_MOST_WAITING)}
    for event in waiting.values():
        if event.sender_id is not None:
            yield _of_event(event, event.sender_id, shows_bodies)
    for letter in buried.values():
        if letter.event.sender_id is not None:
            yield _of_letter(letter, letter.event.sender_id, shows_bodies)
    for each in passed:
        # what waited when it was seen is told of as it is now
        if each.sender_id is not None and each.id not in waiting and each.id not in buried:
            yield Moment(each.sender_id, each.time, each.id, each.type, "passed", None, each.body)


def listed(found: Iterator[Moment]) -> list[Conversation]:
    """Return the latest conversations, the latest first."""
    known: dict[str, Conversation] = {}
    for moment in found:
        each = known.setdefault(moment.sender_id, Conversation(moment.sender_id))
        each.events += 1
        each.waiting += moment.where == "waits"
        each.dead_letters += moment.where == "dead letter"
        if moment.time is not None:
            each.latest = max(moment.time, each.latest or moment.time)
    return sorted(known.values(), key=lambda each: -(each.latest or 0.0))[:MOST]


def timeline(found: Iterator[Moment], sender_id: str) -> list[Moment]:
    """Return the events of one conversation, oldest first."""
    own = [moment for moment in found if moment.sender_id == sender_id]
    return sorted(own, key=lambda moment: moment.time or 0.0)


def _of_event(event: Event, sender_id: str, shows_bodies: bool) -> Moment:
    body = shown_body(event.body) if shows_bodies else None
    return Moment(sender_id, event.timestamp, event.id, event.type, "waits", None, body)


def _of_letter(letter: DeadLetter, sender_id: str, shows_bodies: bool) -> Moment:
    event = letter.event
    body = shown_body(event.body) if shows_bodies else None
    return Moment(sender_id, letter.time, event.id, event.type, "dead letter", letter.reason, body)
