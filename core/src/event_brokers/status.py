"""Where the events of an EventBroker are, at one moment."""

from __future__ import annotations

import msgspec


class Status(msgspec.Struct, frozen=True):
    """Where the events of an EventBroker are, at one moment.

    accepted = delivered + pending + dead_letters, always.

    Attributes:
        accepted: events whose `publish` returned.
        delivered: events that the broker confirmed.
        pending: events that wait.
        dead_letters: events that the broker will never take.
        state: connecting, connected, retrying, halted or closed.
        last_error: why nothing is delivered, a sentence without secrets; None while all is well.
        oldest_pending_seconds: how long the oldest pending event has waited; None without one.
    """

    accepted: int
    delivered: int
    pending: int
    dead_letters: int
    state: str
    last_error: str | None
    oldest_pending_seconds: float | None
