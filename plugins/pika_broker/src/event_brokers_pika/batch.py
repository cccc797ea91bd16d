"""The events that are to be sent or under way, and what RabbitMQ has said of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

from pika import spec

from event_brokers import BrokerUnavailable, ConfigurationError, Event
from event_brokers_pika.options import PikaOptions


class Batch:
    """One call of `publish`: written on the connection's thread, waited for on the caller's.

    Parameters:
        events: in the order in which they are sent.

    Attributes:
        unsent: the events that are to be sent next.
        unconfirmed: delivery tag -> event that is under way, tags ascending.
        failure: why the channel or connection ended before the last confirm.
        done: set when nothing more will be said.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.unsent: deque[Event] = deque()
        self.unconfirmed: dict[int, Event] = {}
        self.failure: BaseException | None = None
        self.done = threading.Event()
        self._acknowledged: set[str] = set()
        self._refused: set[str] = set()
        self._returned: dict[str, str] = {}

    @property
    def confirmed(self) -> set[str]:
        """The ids of the events that are in a queue; what no queue took is confirmed, too."""
        return self._acknowledged - self._returned.keys()

    @property
    def answered(self) -> int:
        """How many events RabbitMQ has acknowledged or refused."""
        return len(self._acknowledged) + len(self._refused)

    def fail(self, failure: BaseException) -> None:
        """End the batch, if it has not ended: nothing more will be said of it."""
        if not self.done.is_set():
            self.failure = failure
            self.done.set()

    def note_return(self, event_id: str, reason: str) -> None:
        """Note that RabbitMQ found no queue for an event; it says so before the confirm."""
        self._returned[event_id] = reason

    def note_answer(self, method: Any) -> list[Event]:
        """Note that RabbitMQ has acknowledged or refused an event, or all up to it.

        Returns those that a queue has taken.
        """
        events = [self.unconfirmed.pop(tag) for tag in self._find_tags(method)]
        if not isinstance(method, spec.Basic.Ack):
            self._refused.update(event.id for event in events)
            return []
        self._acknowledged.update(event.id for event in events)
        return [event for event in events if event.id not in self._returned]

    def end_if_answered(self) -> None:
        """End the batch where nothing is under way, or about to be."""
        if not self.unconfirmed and not self.unsent:
            self.done.set()

    def raise_for_undelivered(self, options: PikaOptions) -> None:
        """Return if every event is in a queue.

        Parameters:
            options: the options of `type: pika`.

        Raises:
            ConfigurationError: no queue is bound to the exchange, and none is to be bound by us.
            BrokerUnavailable: RabbitMQ returned or refused some of them.
        """
        if self._returned and options.exchange and not options.declare:
            raise ConfigurationError(
                f"event_broker.exchange_name: no queue is bound to '{options.exchange}', and "
                "declare is false; bind one there, or take declare: false out",
                self.confirmed,
            )
        if self._returned:
            reason = next(iter(self._returned.values()))
            unbound = f", for no queue is bound to '{options.exchange}'" if options.exchange else ""
            raise BrokerUnavailable(
                f"RabbitMQ returned {_count_events(len(self._returned))}: {reason}{unbound}",
                self.confirmed,
            )
        if self._refused:
            raise BrokerUnavailable(
                f"RabbitMQ refuses {_count_events(len(self._refused))} (nack); "
                "the queue may have reached its max-length",
                self.confirmed,
            )

    def _find_tags(self, method: Any) -> list[int]:
        if not method.multiple:
            return [method.delivery_tag] if method.delivery_tag in self.unconfirmed else []
        tags = []
        for tag in self.unconfirmed:
            if tag > method.delivery_tag:
                break
            tags.append(tag)
        return tags


def _count_events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
