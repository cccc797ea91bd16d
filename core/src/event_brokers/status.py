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
        last_confirm_seconds: how long ago the broker last confirmed events; None where it never
            has, or is closed. With a spool these are told by the process that delivers, once a
            second.
        delivered_last_minute: events that it confirmed in the last minute, or in the one before it
            was closed, of which up to 5 s may be missing.
        state_seconds: how long it has been connected, or has not been; None where nobody has said,
            or it is closed.
        next_attempt_seconds: seconds until it connects again; None where it does not wait for that.
        next_step: what it does next, a clause: "connects again in 3.2 s".
    """

    accepted: int
    delivered: int
    pending: int
    dead_letters: int
    state: str
    last_error: str | None
    oldest_pending_seconds: float | None
    last_confirm_seconds: float | None = None
    delivered_last_minute: int = 0
    state_seconds: float | None = None
    next_attempt_seconds: float | None = None
    next_step: str = ""
