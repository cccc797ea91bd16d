"""A broker in memory that fails exactly as a test tells it to."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from event_brokers import Event, EventBroker, RejectedEvents, hookimpl
from event_brokers.delays import Delays
from event_brokers.endpoints import DeliveryOptions, Settings
from event_brokers.plugins import Plugin

Outcome = BaseException | Callable[[Sequence[Event]], None] | None


class ScriptedBroker:
    """A plugin whose calls end as the scripts say; without a script they succeed.

    Parameters:
        delays: how long delivery waits between attempts.

    Attributes:
        connects: outcomes of the next calls of `connect`, first to last.
        publishes: outcomes of the next calls of `publish`; a callable gets the events.
        stored: events whose batch was confirmed, in order.
        batches: the ids of every batch that was handed over, confirmed or not.
        open: connections that are open now.
        gate: while it is cleared, `publish` waits: a broker that does not answer.
        refuses: events that are never taken: id -> whether the refusal says which event it is.
    """

    def __init__(self, delays: Delays | None = None) -> None:
        self.connects: deque[BaseException | None] = deque()
        self.publishes: deque[Outcome] = deque()
        self.stored: list[Event] = []
        self.batches: list[list[str]] = []
        self.open = 0
        self.opened = 0
        self.gate = threading.Event()
        self.gate.set()
        self.refuses: dict[str, bool] = {}
        self.delays = delays or Delays()

    @hookimpl
    def connect(self, options: Any) -> object:  # noqa: ARG002 - the hook's signature
        """Open a connection, or fail as scripted."""
        self.opened += 1
        failure = self.connects.popleft() if self.connects else None
        if failure is not None:
            raise failure
        self.open += 1
        return object()

    @hookimpl
    def publish(self, connection: object, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Store the batch, or fail as scripted."""
        self.batches.append([event.id for event in events])
        self.gate.wait(60)
        outcome = self.publishes.popleft() if self.publishes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            outcome(events)
        self._refuse(events)
        self.stored.extend(events)

    @hookimpl
    def close(self, connection: object) -> None:  # noqa: ARG002 - as above
        """Close a connection."""
        self.open -= 1

    def _refuse(self, events: Sequence[Event]) -> None:
        refused = [event.id for event in events if event.id in self.refuses]
        if refused:
            named = [event_id for event_id in refused if self.refuses[event_id]]
            raise RejectedEvents(dict.fromkeys(named, "refused"))

    def settings(self, **delivery: Any) -> Settings:
        """Return the settings for this broker.

        Parameters:
            delivery: options of the `delivery` section.
        """
        plugin = Plugin("scripted", "scripted 1.0", self)
        return Settings(plugin=plugin, options={}, delivery=DeliveryOptions(**delivery))

    def start(self, **delivery: Any) -> EventBroker:
        """Return an EventBroker that delivers to this broker.

        Parameters:
            delivery: options of the `delivery` section.
        """
        return EventBroker(self.settings(**delivery), self.delays)

    def ids(self) -> list[str]:
        """Return the ids of the stored events, in order."""
        return [event.id for event in self.stored]
