"""EventBroker, what users hold: publish, flush, close, status."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from event_brokers import endpoints, fork, program_exit
from event_brokers.buffer import Condition, DeadLetter, MemoryQueue, Queue
from event_brokers.delivery import Delivery, State
from event_brokers.endpoints import MAX_PENDING, DeliveryOptions, Settings
from event_brokers.errors import ConfigurationError, InvalidEvent, UndeliveredEvents
from event_brokers.event import Event

if TYPE_CHECKING:
    from event_brokers.spool import Spool

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
        self._new_queue = _queue_maker(settings.delivery)
        self._at_end: Status | None = None
        self._begin()
        self._start()
        fork.watch(self)

    def publish(
        self,
        event: Mapping[str, Any],
        event_id: str | None = None,
        timeout: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Accept one event for delivery and return its id; never waits for the broker.

        Parameters:
            event: a dictionary of what JSON can say; changing it afterwards changes nothing.
            event_id: the event's id, up to 255 bytes of text; a new UUIDv7 if None. An id that
                still waits is the same event, and is accepted once.
            timeout: seconds to wait for room in a full queue.
            headers: text to text, to travel beside the body.

        Raises:
            InvalidEvent: JSON cannot say it.
            QueueFull: the queue is full, and stayed so for `timeout` seconds.
            SpoolError: the spool cannot be written; its `event_ids` tell the id for a retry.
            BrokerClosed: `close` was called.
        """
        accepted = Event.from_dict(event, event_id, headers)
        self.accept([accepted], timeout)
        return accepted.id

    def publish_many(self, events: Iterable[Mapping[str, Any]], timeout: float = 0.0) -> list[str]:
        """Accept all of the events or none, and return their ids in the same order.

        Parameters:
            events: dictionaries, as for `publish`.
            timeout: seconds to wait for room for all of them.

        Raises:
            InvalidEvent: JSON cannot say one of them; the sentence says which, counted from 0.
            QueueFull: there is no room for all of them.
            SpoolError: the spool cannot be written.
            BrokerClosed: `close` was called.
        """
        accepted = [_numbered(index, event) for index, event in enumerate(events)]
        self.accept(accepted, timeout)
        return [event.id for event in accepted]

    def accept(self, events: Sequence[Event], timeout: float = 0.0) -> None:
        """Accept all of the events or none, where they are events already.

        Parameters:
            events: an id that still waits is the same event.
            timeout: seconds to wait for room for all of them.

        Raises:
            QueueFull: there is no room for all of them.
            SpoolError: the spool cannot be written.
            BrokerClosed: `close` was called.
        """
        self._live().append(events, timeout)

    def flush(self, timeout: float | None = None) -> Status:
        """Wait until every event accepted so far is delivered or a dead letter.

        Parameters:
            timeout: seconds; None waits for ever. When they are over, the status says what waits.
        """
        self._live().wait_until_left(timeout)
        return self.status()

    def close(self, timeout: float = 30.0) -> Status:
        """Accept no more events, deliver those that wait, and release everything.

        Closing again does nothing.

        Parameters:
            timeout: seconds to wait for delivery.

        Raises:
            UndeliveredEvents: events were left in memory when the time was over; says how many.
                What is left in a spool stays there, and is no error.
        """
        if self._at_end is not None:
            return self._at_end
        queue = self._live()
        queue.close()
        self._delivery.finish()
        if not self._delivery.join(timeout):
            self._delivery.abandon()
            self._delivery.join(_ENDING_SECONDS)
        program_exit.forget(self)
        status = self._at_end = msgspec.structs.replace(self.status(), state=State.CLOSED.value)
        queue.dispose()
        if status.pending and self._settings.delivery.spool is None:
            raise UndeliveredEvents(status.pending, status.last_error)
        return status

    def status(self) -> Status:
        """Return where the events are, at one moment; with a spool, those of all processes.

        Raises:
            SpoolError: the spool cannot be read.
        """
        if self._at_end is not None:
            return self._at_end
        counts, condition = self._live().counts(), self._live().condition()
        return Status(
            accepted=counts.accepted,
            delivered=counts.delivered,
            pending=counts.pending,
            dead_letters=counts.dead_letters,
            state=condition.state if condition else State.CONNECTING.value,
            last_error=self._last_error(counts.pending, condition),
            oldest_pending_seconds=counts.oldest_pending_seconds,
        )

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first; those in memory are the latest thousand.

        Raises:
            SpoolError: the spool cannot be read.
        """
        queue = self._live()
        letters = queue.dead_letters()
        if self._at_end is not None:
            queue.dispose()
        return letters

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

    def before_fork(self) -> None:
        """Wait while the plugin connects; all else that is copied is thrown away in the child."""
        self._delivery.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on; the parent has all it had."""
        self._delivery.after_fork()

    def after_fork_in_child(self) -> None:
        """Begin anew, with nothing in memory, when the child first uses this broker."""
        self._delivery.after_fork()
        if self._at_end is None:
            self._begin()

    def _begin(self) -> None:
        self._starting = threading.Lock()
        self._queue: Queue | None = None

    def _live(self) -> Queue:
        """Return the queue; in a forked child a new one, with its own delivery."""
        return self._queue or self._start()

    def _start(self) -> Queue:
        with self._starting:
            if self._queue is None:
                queue = self._new_queue()
                self._delivery = Delivery(queue, self._settings)
                self._delivery.start()
                program_exit.watch(self)
                self._queue = queue
            return self._queue

    def _report(self, undelivered: UndeliveredEvents, other: BaseException | None) -> None:
        if other is None:
            raise undelivered
        # the other exception is on its way out and tells the user more
        logger.error("%s: %s", self._settings.plugin.type, undelivered)

    def _last_error(self, pending: int, condition: Condition | None) -> str | None:
        reason = condition.last_error if condition else None
        most = _max_pending(self._settings.delivery)
        if most is None or pending < most:
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


def _max_pending(delivery: DeliveryOptions) -> int | None:
    """Return how many events may wait; None for a spool that is bounded by its bytes alone."""
    if delivery.spool is None:
        return delivery.max_pending or MAX_PENDING
    return delivery.max_pending


def _queue_maker(delivery: DeliveryOptions) -> Callable[[], Queue]:
    if delivery.spool is None:
        return partial(MemoryQueue, delivery.max_pending or MAX_PENDING, delivery.max_bytes)
    return spool_maker(delivery.spool, delivery)


def spool_maker(folder: str, delivery: DeliveryOptions) -> Callable[[], Spool]:
    """Return what opens the spool in a folder.

    Parameters:
        folder: `delivery.spool`.
        delivery: how events wait.

    Raises:
        ConfigurationError: this system has no file locks.
    """
    try:
        from event_brokers.spool import Spool  # noqa: PLC0415 - SQLite is for those who want it
    except ImportError as error:
        raise ConfigurationError(
            "event_broker.delivery.spool: this system lacks the file locks of POSIX; leave it out"
        ) from error

    # absolute: the program may change its folder before it forks
    path = Path(folder).absolute()
    return partial(Spool, path, delivery.durability, delivery.max_pending, delivery.max_bytes)


def _numbered(index: int, event: Mapping[str, Any]) -> Event:
    try:
        return Event.from_dict(event)
    except InvalidEvent as error:
        raise InvalidEvent(f"events[{index}]: {error}") from None
