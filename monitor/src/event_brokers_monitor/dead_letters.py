"""Dead letters as a person looks at them: grouped by the reason, each with some examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from event_brokers import DeadLetter, Event
from event_brokers.destinations import Destination
from event_brokers_monitor.passing import shown_body

MOST_GROUPS = 100
SAMPLES = 5


class Letter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One dead letter, and when it became one: an event that is retried may become one again.

    Attributes:
        id: the event's.
        time: seconds since 1970.
    """

    id: str
    time: float


class Changed(Exception):
    """The dead letters are no longer those that somebody was asked about."""


class Chosen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters are to be retried or dropped; one of ids, reason and all says it.

    Attributes:
        destination: its name.
        ids: of events.
        reason: of a group.
        all: whether every one is.
        until: the last one that there was when somebody was asked; None for all there are.
    """

    destination: str
    ids: list[str] | None = None
    reason: str | None = None
    all: bool = False
    until: Letter | None = None

    @property
    def is_clear(self) -> bool:
        """Whether exactly one way of choosing was given."""
        if self.ids is not None and self.until is not None:
            return False
        return [self.ids is not None, self.reason is not None, self.all].count(True) == 1

    def ids_in(self, destination: Destination) -> list[str]:
        """Return the ids of the dead letters that are chosen.

        Raises:
            Changed: the last one of those that were asked about is not there any more.
            SpoolError: the spool cannot be read.
        """
        if self.ids is not None:
            return self.ids
        with destination.dead_letters() as letters:
            return [
                letter.event.id
                for letter in _up_to(self.until, letters)
                if self.reason is None or letter.reason == self.reason
            ]


def grouped(letters: Iterable[DeadLetter], shows_bodies: bool) -> dict[str, Any]:
    """Return the groups, the largest first, how many are in none of them, and the last letter.

    Parameters:
        letters: oldest first.
        shows_bodies: whether the samples have bodies.
    """
    groups: dict[str, dict[str, Any]] = {}
    others, until = 0, None
    for letter in letters:
        until = Letter(letter.event.id, letter.time)
        if letter.reason not in groups and len(groups) == MOST_GROUPS:
            others += 1
            continue
        group = groups.setdefault(letter.reason, _new_group(letter))
        group["count"] += 1
        group["until"] = until
        group["last"] = max(group["last"], letter.time)
        group["first"] = min(group["first"], letter.time)
        if len(group["samples"]) < SAMPLES:
            group["samples"].append(_sample(letter, shows_bodies))
    ordered = sorted(groups.values(), key=lambda group: -group["count"])
    return {"groups": ordered, "others": others, "until": until}


def summary(event: Event) -> dict[str, Any]:
    """Return all of an event but its body and its headers."""
    return {
        "id": event.id,
        "type": event.type,
        "sender_id": event.sender_id,
        "bytes": len(event.body),
    }


def _up_to(last: Letter | None, letters: Iterable[DeadLetter]) -> Iterator[DeadLetter]:
    for letter in letters:
        yield letter
        if last is not None and (letter.event.id, letter.time) == (last.id, last.time):
            return
    if last is not None:
        raise Changed


def _new_group(letter: DeadLetter) -> dict[str, Any]:
    return {
        "reason": letter.reason,
        "count": 0,
        "first": letter.time,
        "last": letter.time,
        "samples": [],
    }


def _sample(letter: DeadLetter, shows_bodies: bool) -> dict[str, Any]:
    sample = {**summary(letter.event), "time": letter.time, "attempts": letter.attempts}
    return {**sample, "body": shown_body(letter.event.body)} if shows_bodies else sample
