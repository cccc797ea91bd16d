"""EventBroker, what users hold: publish, flush, close, status."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import msgspec

from event_brokers import endpoints, program_exit
from event_brokers.buffer import DeadLetter, MemoryQueue
from event_brokers.delivery import Delivery, State
from event_brokers.endpoints import Settings
from event_brokers.errors import InvalidEvent, UndeliveredEvents
from event_brokers.event import Event

logger = logging.getLogger("event_brokers")

_ENDING_SECONDS = 0.5  # for a delivery that was told to end: to close its connection
_Broker = TypeVar("_Broker", bound="EventBroker")


class Status(msgspec.Struct, frozen=True):
    """Where the events of an EventBroker are, at one moment.

    accepted = delivered + pending + dead_letters, always.

    Attributes:
        accepted: events whose `publish` returned.
        delivered: events that the broker confirmed.
        pending: events that wait.
        dead_letters: events that the broker will never take.
        state: connecting, connected, retrying, halted or closed.
        last_error: why it is not connected, a sentence without secrets; None while all is well.
        oldest_pending_seconds: how long the oldest pending event has waited; None without one.
    """

    accepted: int
    delivered: int
    pending: int
    dead_letters: int
    state: str
    last_error: str | None
    oldest_pending_seconds: float | None


class EventBroker:
    """Takes events and delivers them in the background; safe to use from any thread.

    Parameters:
        settings: the plugin, its options and how events wait; `connect` makes them.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ended = False
        self._queue = MemoryQueue(settings.delivery.max_pending)
        self._delivery = Delivery(self._queue, settings)
        self._delivery.start()
        program_exit.watch(self)

    def publish(
        self, event: Mapping[str, Any], event_id: str | None = None, timeout: float = 0.0
    ) -> str:
        """Accept one event for delivery and return its id; never waits for the broker.

        Parameters:
            event: a dictionary of what JSON can say; changing it afterwards changes nothing.
            event_id: the event's id, up to 255 bytes of text; a new UUIDv7 if None. An id that
                still waits is the same event, and is accepted once.
            timeout: seconds to wait for room in a full queue.

        Raises:
            InvalidEvent: JSON cannot say it.
            QueueFull: the queue is full, and stayed so for `timeout` seconds.
            BrokerClosed: `close` was called.
        """
        accepted = Event.from_dict(event, event_id)
        self._queue.append([accepted], timeout)
        return accepted.id

    def publish_many(self, events: Iterable[Mapping[str, Any]], timeout: float = 0.0) -> list[str]:
        """Accept all of the events or none, and return their ids in the same order.

        Parameters:
            events: dictionaries, as for `publish`.
            timeout: seconds to wait for room for all of them.

        Raises:
            InvalidEvent: JSON cannot say one of them; the sentence says which, counted from 0.
            QueueFull: there is no room for all of them.
            BrokerClosed: `close` was called.
        """
        accepted = [_numbered(index, event) for index, event in enumerate(events)]
        self._queue.append(accepted, timeout)
        return [event.id for event in accepted]

    def flush(self, timeout: float | None = None) -> Status:
        """Wait until every event accepted so far is delivered or a dead letter.

        Parameters:
            timeout: seconds; None waits for ever. When they are over, the status says what waits.
        """
        self._queue.wait_until_left(self._queue.counts().accepted, timeout)
        return self.status()

    def close(self, timeout: float = 30.0) -> Status:
        """Accept no more events, deliver those that wait, and release everything.

        Closing again does nothing.

        Parameters:
            timeout: seconds to wait for delivery.

        Raises:
            UndeliveredEvents: events were left when the time was over; says how many.
        """
        if self._ended:
            return self.status()
        self._queue.close()
        self._delivery.finish()
        if not self._delivery.join(timeout):
            self._delivery.abandon()
            self._delivery.join(_ENDING_SECONDS)
        self._ended = True
        program_exit.forget(self)
        status = self.status()
        if status.pending:
            raise UndeliveredEvents(status.pending, status.last_error)
        return status

    def status(self) -> Status:
        """Return where the events are, at one moment."""
        counts = self._queue.counts()
        state = State.CLOSED if self._ended else self._delivery.state
        return Status(
            accepted=counts.accepted,
            delivered=counts.delivered,
            pending=counts.pending,
            dead_letters=counts.dead_letters,
            state=state.value,
            last_error=self._last_error(counts.pending),
            oldest_pending_seconds=counts.oldest_pending_seconds,
        )

    def dead_letters(self) -> list[DeadLetter]:
        """Return the latest dead letters, oldest first; `status` counts all of them."""
        return self._queue.dead_letters()

    async def aflush(self, timeout: float | None = None) -> Status:
        """Do as `flush` without blocking the event loop."""
        return await _in_thread(partial(self.flush, timeout))

    async def aclose(self, timeout: float = 30.0) -> Status:
        """Do as `close` without blocking the event loop."""
        return await _in_thread(partial(self.close, timeout))

    def __enter__(self: _Broker) -> _Broker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self.close()
        except UndeliveredEvents as undelivered:
            self._report(undelivered, error)

    async def __aenter__(self: _Broker) -> _Broker:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self.aclose()
        except UndeliveredEvents as undelivered:
            self._report(undelivered, error)

    def __repr__(self) -> str:
        status = self.status()
        return (
            f"<EventBroker {self._settings.plugin.type}: {status.state}, {status.pending} pending>"
        )

    @property
    def exit_timeout(self) -> float:
        """Seconds that the end of the program waits for delivery."""
        return self._settings.delivery.exit_timeout

    def drain_at_exit(self, deadline: float) -> None:
        """Deliver what waits until the deadline, on the clock of `time.monotonic`."""
        self._delivery.hurry()
        self.flush(max(0.0, deadline - time.monotonic()))

    def close_at_exit(self, deadline: float) -> None:
        """Close until the deadline, on the clock of `time.monotonic`, and log what is lost."""
        try:
            self.close(max(0.0, deadline - time.monotonic()))
        except UndeliveredEvents as undelivered:
            logger.error("%s: the program ended: %s", self._settings.plugin.type, undelivered)

    def _report(self, undelivered: UndeliveredEvents, other: BaseException | None) -> None:
        if other is None:
            raise undelivered
        # the other exception is on its way out and tells the user more
        logger.error("%s: %s", self._settings.plugin.type, undelivered)

    def _last_error(self, pending: int) -> str | None:
        reason = self._delivery.last_error
        if pending < self._settings.delivery.max_pending:
            return reason
        full = f"the queue is full: {pending} events wait"
        return full if reason is None else f"{full}; {reason}"


def connect(source: str | os.PathLike[str] | Mapping[str, Any]) -> EventBroker:
    """Return an EventBroker for one `event_broker` section; connects in the background.

    Parameters:
        source: the path of an `endpoints.yml`, or a mapping that is the section itself.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    return EventBroker(endpoints.read(source))


async def _in_thread(call: Callable[[], Status]) -> Status:
    import asyncio  # noqa: PLC0415 - whoever calls this has it; everybody else is spared 40 ms

    return await asyncio.to_thread(call)


def _numbered(index: int, event: Mapping[str, Any]) -> Event:
    try:
        return Event.from_dict(event)
    except InvalidEvent as error:
        raise InvalidEvent(f"events[{index}]: {error}") from None
