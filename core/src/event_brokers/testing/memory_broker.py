"""MemoryBroker, a broker in memory: a real plugin, whose calls end exactly as a test says."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from event_brokers.broker import EventBroker
from event_brokers.delays import Delays
from event_brokers.delivery_options import DeliveryOptions
from event_brokers.errors import BrokerUnavailable, RejectedEvents
from event_brokers.event import Event
from event_brokers.hookspecs import hookimpl
from event_brokers.plugins import Plugin
from event_brokers.settings import Settings

TYPE = "memory"
Outcome = BaseException | Callable[[Sequence[Event]], None] | None

_LONGEST_HANG = 60.0  # seconds, after which a test that has forgotten it goes on


class MemoryBroker:
    """A plugin that keeps what it is given in a list; without a script every call succeeds.

    ::

        memory = MemoryBroker()
        memory.fail(2)
        with memory.start() as broker:
            broker.publish({"event": "user"})
        assert len(memory.arrived) == 1

    Parameters:
        delays: how long delivery waits between attempts; the core's own where None.

    Attributes:
        arrived: the events that it has confirmed, in order; those that came twice stand twice.
        batches: the ids of every batch that was handed over, confirmed or not.
        connects: how the next calls of `connect` end, first to last: an error, or None.
        publishes: how the next calls of `publish` end; a callable is given the events.
        refused: events that are never taken: id -> whether the refusal says which event it is.
        open: connections that are open now.
        opened: calls of `connect` so far.
    """

    def __init__(self, delays: Delays | None = None) -> None:
        self.arrived: list[Event] = []
        self.batches: list[list[str]] = []
        self.connects: deque[BaseException | None] = deque()
        self.publishes: deque[Outcome] = deque()
        self.refused: dict[str, bool] = {}
        self.open = 0
        self.opened = 0
        self.delays = delays or Delays()
        self._answers = threading.Event()
        self._answers.set()

    def fail(self, count: int = 1, error: BaseException | None = None) -> None:
        """Let the next calls of `publish` fail, without an event confirmed.

        Parameters:
            count: of calls.
            error: to raise; BrokerUnavailable where None.
        """
        self.publishes.extend([error or _lost()] * count)

    def fail_to_connect(self, count: int = 1, error: BaseException | None = None) -> None:
        """Let the next calls of `connect` fail.

        Parameters:
            count: of calls.
            error: to raise; BrokerUnavailable where None.
        """
        self.connects.extend([error or _lost()] * count)

    def drop_after(self, count: int) -> None:
        """Let the next call of `publish` lose its connection when some events have arrived.

        Parameters:
            count: of events that arrive before, without a confirm.
        """

        def drop(events: Sequence[Event]) -> None:
            self.arrived.extend(events[:count])
            raise _lost()

        self.publishes.append(drop)

    def confirm_then_raise(self, error: BaseException | None = None) -> None:
        """Let the next call of `publish` raise when every event has arrived.

        Parameters:
            error: to raise; BrokerUnavailable, with every event named as confirmed, where None.
        """

        def confirm(events: Sequence[Event]) -> None:
            self.arrived.extend(events)
            if error is not None:
                raise error
            raise BrokerUnavailable("the connection was lost", [event.id for event in events])

        self.publishes.append(confirm)

    def refuse(self, *event_ids: str, by_name: bool = True) -> None:
        """Never take some events.

        Parameters:
            event_ids: of the events.
            by_name: whether the refusal says which event of a batch it is.
        """
        self.refused.update(dict.fromkeys(event_ids, by_name))

    def hang(self) -> None:
        """Let no call of `publish` return, until `answer`."""
        self._answers.clear()

    def answer(self) -> None:
        """Let the calls of `publish` return again."""
        self._answers.set()

    def answers(self) -> bool:
        """Return whether calls of `publish` return."""
        return self._answers.is_set()

    @hookimpl
    def connect(self, options: Any) -> object:  # noqa: ARG002 - the hook's signature
        """Open a connection, or fail as the script says."""
        self.opened += 1
        failure = self.connects.popleft() if self.connects else None
        if failure is not None:
            raise failure
        self.open += 1
        return object()

    @hookimpl
    def publish(self, connection: object, events: Sequence[Event]) -> None:  # noqa: ARG002
        """Keep the batch, or fail as the script says."""
        self.batches.append([event.id for event in events])
        self._answers.wait(_LONGEST_HANG)
        outcome = self.publishes.popleft() if self.publishes else None
        if isinstance(outcome, BaseException):
            raise outcome
        if outcome is not None:
            outcome(events)
        self._refuse(events)
        self.arrived.extend(events)

    @hookimpl
    def close(self, connection: object) -> None:  # noqa: ARG002 - as above
        """Close a connection."""
        self.open -= 1

    def settings(self, **delivery: Any) -> Settings:
        """Return the settings of a broker that delivers here.

        Parameters:
            delivery: options of the section `delivery`.
        """
        plugin = Plugin(TYPE, "event_brokers.testing", self)
        return Settings(plugin=plugin, options={}, delivery=DeliveryOptions(**delivery))

    def start(self, **delivery: Any) -> EventBroker:
        """Return an EventBroker that delivers here.

        Parameters:
            delivery: options of the section `delivery`, such as `spool`.
        """
        return EventBroker(self.settings(**delivery), self.delays)

    def ids(self) -> list[str]:
        """Return the ids of the events that have arrived, in order."""
        return [event.id for event in self.arrived]

    def _refuse(self, events: Sequence[Event]) -> None:
        refused = [event.id for event in events if event.id in self.refused]
        if refused:
            named = [event_id for event_id in refused if self.refused[event_id]]
            raise RejectedEvents(dict.fromkeys(named, "refused"))


def _lost() -> BrokerUnavailable:
    return BrokerUnavailable("the connection was lost")
