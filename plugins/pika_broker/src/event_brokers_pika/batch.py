"""The events that are under way, and what RabbitMQ has said of each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from pika import spec

from event_brokers import BrokerUnavailable, Event


class Batch:
    """One call of `publish`: written on the connection's thread, waited for on the caller's.

    Parameters:
        events: in the order in which they are sent.

    Attributes:
        unconfirmed: delivery tag -> event id, tags ascending.
        failure: why the channel or connection ended before the last confirm.
        done: set when nothing more will be said.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.unconfirmed: dict[int, str] = {}
        self.failure: BaseException | None = None
        self.done = threading.Event()
        self._acknowledged: set[str] = set()
        self._refused: set[str] = set()
        self._returned: dict[str, str] = {}

    @property
    def confirmed(self) -> set[str]:
        """The ids of the events that are in a queue; what no queue took is confirmed, too."""
        return self._acknowledged - self._returned.keys()

    def fail(self, failure: BaseException) -> None:
        """Nothing more will be said of this batch."""
        self.failure = failure
        self.done.set()

    def returned(self, event_id: str, reason: str) -> None:
        """RabbitMQ found no queue for an event; it says so before it confirms the event."""
        self._returned[event_id] = reason

    def answered(self, method: Any) -> None:
        """RabbitMQ has acknowledged or refused an event, or all up to it."""
        answered = self._acknowledged if isinstance(method, spec.Basic.Ack) else self._refused
        for tag in self._tags(method):
            answered.add(self.unconfirmed.pop(tag))
        if not self.unconfirmed:
            self.done.set()

    def raise_for_undelivered(self) -> None:
        """Return if every event is in a queue.

        Raises:
            BrokerUnavailable: RabbitMQ returned or refused some of them.
        """
        if self._returned:
            reason = next(iter(self._returned.values()))
            raise BrokerUnavailable(
                f"RabbitMQ returned {_events(len(self._returned))}: {reason}", self.confirmed
            )
        if self._refused:
            raise BrokerUnavailable(
                f"RabbitMQ refuses {_events(len(self._refused))} (nack); "
                "the queue may have reached its max-length",
                self.confirmed,
            )

    def _tags(self, method: Any) -> list[int]:
        if not method.multiple:
            return [method.delivery_tag] if method.delivery_tag in self.unconfirmed else []
        tags = []
        for tag in self.unconfirmed:
            if tag > method.delivery_tag:
                break
            tags.append(tag)
        return tags


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
