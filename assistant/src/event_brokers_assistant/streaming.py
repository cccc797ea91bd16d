"""Hands stored events to the broker; what the broker does not take stays due."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import msgspec

from event_brokers import Event, QueueFull
from event_brokers.outage import Outage


class Broker(Protocol):
    """What a tracker store needs of an `event_brokers.EventBroker`."""

    def accept(self, events: Sequence[Event]) -> None:
        """Accept all of the events or none, each by its id once."""


class StreamStatus(msgspec.Struct, frozen=True):
    """Whether the broker takes what is stored.

    Attributes:
        due: stored events that the broker has not accepted yet.
        failures: how often it refused since the start.
        last_error: why it refuses now, a sentence; None while it accepts.
    """

    due: int
    failures: int
    last_error: str | None


class Stream:
    """The way from a store to its broker; a failure is logged once per outage, never raised.

    Parameters:
        broker: takes the events; None where nothing is streamed.
    """

    def __init__(self, broker: Broker | None) -> None:
        self._broker = broker
        self._lock = threading.Lock()
        self._outage = Outage("assistant")
        self._failures = 0
        self._last_error: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether there is a broker at all."""
        return self._broker is not None

    def send(self, events: Sequence[Event]) -> int:
        """Hand over events in order, and return how many of them were accepted.

        Parameters:
            events: the oldest first.
        """
        if self._broker is None:
            return 0
        try:
            count = _accept_what_fits(self._broker, events)
        except Exception as error:  # noqa: BLE001 - a conversation never fails because of a broker
            self.fail(error)
            return 0
        self._recover()
        return count

    def fail(self, error: Exception) -> None:
        """Note why events stay due; the log has it once per outage.

        Parameters:
            error: what came in the way.
        """
        sentence = str(error) or type(error).__name__
        with self._lock:
            self._failures += 1
            self._last_error = sentence
            self._outage.failed(None, f"events are stored and not streamed: {sentence}")

    def status(self, due: int) -> StreamStatus:
        """Return whether the broker takes what is stored.

        Parameters:
            due: how many stored events wait.
        """
        with self._lock:
            return StreamStatus(due, self._failures, self._last_error)

    def _recover(self) -> None:
        with self._lock:
            self._last_error = None
            self._outage.recovered("events are streamed again")


def _accept_what_fits(broker: Broker, events: Sequence[Event]) -> int:
    """Publish as many of the oldest events as there is room for; one at least, or raise."""
    count = len(events)
    while True:
        try:
            broker.accept(events[:count])
        except QueueFull:
            if count == 1:
                raise
            count //= 2
        else:
            return count
