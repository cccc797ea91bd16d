"""What a process measures of its own deliveries and consumers, as plain numbers.

Measuring must not be felt: whoever publishes adds to no histogram, and of many calls one is timed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Collection
from contextlib import suppress
from itertools import cycle

import msgspec

from event_brokers.errors import ConfigurationError, PartlyPublished, PublishError, RejectedEvents

BATCH_EVENTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
DELIVERY_SECONDS = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3600,
)  # fmt: skip
PUBLISH_SECONDS = (
    0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
    0.025, 0.1, 0.5, 1, 5,
)  # fmt: skip
KINDS = ("unavailable", "configuration", "rejected", "unforeseen")
TIMED_ONE_IN = 16  # calls of `publish`
_MOST_TIMES = 4096  # that wait to be counted; a histogram does not miss what it loses at random


class Distribution(msgspec.Struct, frozen=True):
    """How values that were measured are spread.

    Attributes:
        bounds: in rising order.
        counts: how many values lie up to each bound and above the one before; at last, how many
            lie above all of them.
        total: all values together.
    """

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    total: float


class Histogram:
    """Counts values by their size; one thread adds, and any thread looks.

    Parameters:
        bounds: in rising order.
    """

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def add_ages(self, times: Collection[float], now: float) -> None:
        """Count how long ago each of many times was, in far fewer steps than there are times.

        Parameters:
            times: nearly in order, on the same clock as `now`; one that is still to come is now.
            now: the time.
        """
        if len(times) < len(self._bounds):
            for time_ in times:
                self.add(max(0.0, now - time_))
            return
        ordered, before = sorted(times), 0
        for index, bound in enumerate(self._bounds):
            within = len(ordered) - bisect_left(ordered, now - bound)
            self._counts[index] += within - before
            before = within
        self._counts[-1] += len(ordered) - before
        self._total += sum([now - time_ for time_ in ordered if time_ < now])

    def distribution(self) -> Distribution:
        """Return what was counted so far."""
        return Distribution(self._bounds, tuple(self._counts), self._total)


class SampledTimes:
    """How long calls take, of which a few are timed; called from any thread, at any line."""

    def __init__(self) -> None:
        # asking, as adding, is one call into C, which nothing can interrupt
        self.is_next_timed = cycle([True] + [False] * (TIMED_ONE_IN - 1)).__next__
        self._times: deque[float] = deque(maxlen=_MOST_TIMES)
        self._histogram = Histogram(PUBLISH_SECONDS)

    def add(self, seconds: float) -> None:
        """Note how long a call took."""
        self._times.append(seconds)

    def count(self) -> None:
        """Count what was timed since; called by one thread at a time."""
        with suppress(IndexError):
            while True:
                self._histogram.add(self._times.popleft())

    def distribution(self) -> Distribution:
        """Return what was counted so far."""
        return self._histogram.distribution()


class Calls:
    """How often the hooks of a plugin were called, and how they failed.

    Attributes:
        attempts: hook -> how often it was called.
        failures: hook and kind of failure -> how often it failed.
        connections: that were made.
        batches: of how many events the batches were.
    """

    def __init__(self) -> None:
        self.attempts = {"connect": 0, "publish": 0}
        self.failures: dict[tuple[str, str], int] = {}
        self.connections = 0
        self.batches = Histogram(BATCH_EVENTS)

    def attempted(self, hook: str) -> None:
        """Count a call."""
        if hook in self.attempts:
            self.attempts[hook] += 1

    def failed(self, hook: str, error: BaseException) -> None:
        """Count what a call has raised, if it is a failure."""
        kind = kind_of(error)
        if hook in self.attempts and kind is not None:
            key = hook, kind
            self.failures[key] = self.failures.get(key, 0) + 1


def kind_of(error: BaseException | None) -> str | None:
    """Return which of the failures an error is that the contract of plugins tells apart.

    None where nothing has failed: the time of a call was up, and the rest comes again.
    """
    if error is None or isinstance(error, PartlyPublished):
        return None
    if isinstance(error, RejectedEvents):
        return "rejected"
    if isinstance(error, ConfigurationError):
        return "configuration"
    return "unavailable" if isinstance(error, (PublishError, OSError)) else "unforeseen"


class Measured(msgspec.Struct, frozen=True):
    """What one process has measured of its delivery, since that began.

    Attributes:
        attempts: hook -> how often it was called.
        failures: hook and kind of failure -> how often it failed.
        reconnects: connections that were made after the first.
        batches: of how many events the batches were that the plugin was given.
        delivery_seconds: from the end of `publish` to the confirm of the broker.
        publish_seconds: how long `publish` took, of one call in `TIMED_ONE_IN`.
    """

    attempts: dict[str, int]
    failures: dict[tuple[str, str], int]
    reconnects: int
    batches: Distribution
    delivery_seconds: Distribution
    publish_seconds: Distribution


class Received:
    """How many events a consumer has handed out.

    Parameters:
        type_name: of the broker.
        group: of the consumer; None for none.

    Attributes:
        name: what tells it from the others of its type.
        events: how many.
    """

    def __init__(self, type_name: str, group: str | None) -> None:
        self.type = self.name = type_name
        self.group = group
        self.events = 0
