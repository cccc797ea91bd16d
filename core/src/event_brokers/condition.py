"""How delivery goes: the state it is in, and why, and what it has achieved lately."""

from __future__ import annotations

from enum import Enum

import msgspec

_PIECE_SECONDS = 5
_PIECES = 12  # a minute


class State(str, Enum):
    """What delivery is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    HALTED = "halted"
    CLOSED = "closed"


class Progress(msgspec.Struct, frozen=True):
    """What the broker has confirmed lately.

    Attributes:
        last_confirm: when it last confirmed something, seconds since 1970; None before the first.
        pieces: which piece of 5 seconds, counted since 1970, and how many events in it; the latest
            minute of them, oldest first.
    """

    last_confirm: float | None = None
    pieces: tuple[tuple[int, int], ...] = ()

    def after(self, events: int, now: float) -> Progress:
        """Return what it is once events were confirmed.

        Parameters:
            events: how many.
            now: seconds since 1970.
        """
        piece = int(now // _PIECE_SECONDS)
        # the clock may have been put back since
        before = tuple(each for each in self.pieces if each[0] <= piece)
        if before and before[-1][0] == piece:
            before, events = before[:-1], before[-1][1] + events
        return Progress(now, (*before[1 - _PIECES :], (piece, events)))

    def last_minute(self, now: float) -> int:
        """Return how many events were confirmed in the last minute, of which up to 5 s are cut off.

        Parameters:
            now: seconds since 1970.
        """
        latest = int(now // _PIECE_SECONDS)
        return sum(events for piece, events in self.pieces if 0 <= latest - piece < _PIECES)

    def is_later_than(self, other: Progress) -> bool:
        """Return whether its last confirm came later."""
        return (self.last_confirm or 0.0) > (other.last_confirm or 0.0)


class Condition(msgspec.Struct, frozen=True):
    """How delivery goes.

    Attributes:
        state: connecting, connected, retrying or halted.
        last_error: why it is not connected, a sentence without secrets; None while all is well.
        since: since when it is connected, or is not, seconds since 1970; None where nobody says.
        next_attempt: when it connects again, seconds since 1970; None where it does not wait.
        delay: seconds for which it waits in all; None where it does not wait.
        progress: what it has achieved lately.
    """

    state: State
    last_error: str | None = None
    since: float | None = None
    next_attempt: float | None = None
    delay: float | None = None
    progress: Progress = msgspec.field(default_factory=Progress)
