"""What happened at each destination in the last hour, in pieces of five seconds."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

import msgspec

from event_brokers.look import Look
from event_brokers.measurements import Distribution

PIECE_SECONDS = 5
PIECES = 720  # an hour
_MOST_WAITED = 0.95


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """Five seconds.

    Attributes:
        time: when they began, seconds since 1970.
        accepted: events a second.
        delivered: events a second.
        pending: events that waited at the end.
        oldest: how long the oldest of them had waited, in seconds.
        latency: mean seconds from `publish` to the confirm; None where that is not known.
        slow_latency: what 95 of 100 took at most, by the bounds of a histogram; None likewise.
    """

    time: int
    accepted: float = 0.0
    delivered: float = 0.0
    pending: int = 0
    oldest: float = 0.0
    latency: float | None = None
    slow_latency: float | None = None


class _Totals(msgspec.Struct, frozen=True):
    """What was counted at one moment, since the beginning of time."""

    time: float
    accepted: int
    delivered: int
    latencies: Distribution | None


class History:
    """The last hour of one destination; used by one thread at a time."""

    def __init__(self) -> None:
        self.pieces: deque[Piece] = deque(maxlen=PIECES)
        self._before: _Totals | None = None  # at the beginning of the latest piece
        self._latest: _Totals | None = None

    def add(self, look: Look, now: float) -> None:
        """Note what was seen; a spool that cannot be read leaves a gap.

        Parameters:
            look: at the destination.
            now: seconds since 1970.
        """
        status = look.status
        if status is None:
            self._before = self._latest = None
            return
        latencies = None if look.measured is None else look.measured.delivery_seconds
        totals = _Totals(now, status.accepted, status.delivered, latencies)
        begun = int(now // PIECE_SECONDS) * PIECE_SECONDS
        if self.pieces and begun < self.pieces[-1].time:
            self.pieces.clear()  # the clock was put back
            self._latest = None
        if self.pieces and self.pieces[-1].time == begun:
            self.pieces.pop()
        else:
            self._before = self._latest
        self._latest = totals
        self._before = self._before or totals
        self.pieces.append(_piece(begun, self._before, totals, look))

    def since(self, time: float) -> list[Piece]:
        """Return the pieces that ended after a moment, oldest first.

        Parameters:
            time: seconds since 1970.
        """
        return [piece for piece in self.pieces if piece.time + PIECE_SECONDS > time]


def _piece(begun: int, before: _Totals, now: _Totals, look: Look) -> Piece:
    seconds = max(now.time - before.time, 1.0)
    mean, slow = _latency(before.latencies, now.latencies)
    status = look.status
    assert status is not None
    return Piece(
        time=begun,
        # what somebody drops by hand is gone from the counts
        accepted=round(max(0, now.accepted - before.accepted) / seconds, 2),
        delivered=round(max(0, now.delivered - before.delivered) / seconds, 2),
        pending=status.pending,
        oldest=round(status.oldest_pending_seconds or 0.0, 2),
        latency=mean,
        slow_latency=slow,
    )


def _latency(
    before: Distribution | None, now: Distribution | None
) -> tuple[float | None, float | None]:
    if before is None or now is None:
        return None, None
    counts = [new - old for new, old in zip(now.counts, before.counts, strict=True)]
    total = sum(counts)
    if total <= 0:
        return None, None
    passed, sums = 0, []
    for count in counts:
        passed += count
        sums.append(passed)
    bound = bisect_left(sums, total * _MOST_WAITED)
    slow = now.bounds[min(bound, len(now.bounds) - 1)]
    return round((now.total - before.total) / total, 6), slow
