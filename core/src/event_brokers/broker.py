"""EventBroker, what users hold: publish, flush, close, status."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from event_brokers import endpoints
from event_brokers.delays import Delays
from event_brokers.engine import Engine
from event_brokers.errors import InvalidEvent, UndeliveredEvents
from event_brokers.event import Event
from event_brokers.log import logger
from event_brokers.queues.protocol import DeadLetter
from event_brokers.settings import Settings
from event_brokers.status import Status

_Broker = TypeVar("_Broker", bound="EventBroker")


class EventBroker:
    """Takes events and delivers them in the background; safe to use from any thread.

    Also from signal handlers and destructors, whatever they interrupt.

    Parameters:
        settings: the plugin, its options and how events wait; `connect` makes them.
        delays: how long delivery waits; tests shorten them.
        name: what metrics call it; its type where None.
    """

    def __init__(
        self, settings: Settings, delays: Delays | None = None, name: str | None = None
    ) -> None:
        self._settings = settings
        self._engine = Engine(settings, delays or Delays(), name or settings.plugin.type)

    def publish(
        self,
        event: Mapping[str, Any],
        event_id: str | None = None,
        timeout: float = 0.0,
        headers: Mapping[str, str] | None = None,
    ) -> str:
        """Accept one event for delivery and return its id; never waits for the broker.

        Parameters:
            event: a mapping of what JSON can say; changing it afterwards changes nothing.
            event_id: the event's id, up to 255 bytes of text; a new UUIDv7 if None. An id that
                still waits is the same event, and is accepted once.
            timeout: seconds to wait for room in a full queue.
            headers: text to text, to travel beside the body. The names event_id and event_type
                are taken.

        Raises:
            InvalidEvent: JSON cannot say it, or a header cannot be sent.
            QueueFull: the queue is full, and stayed so for `timeout` seconds.
            SpoolError: the spool cannot be written; its `event_ids` tell the id for a retry.
            BrokerClosed: `close` was called.
        """
        accepted = Event.from_dict(event, event_id, headers)
        self._engine.append([accepted], timeout)
        return accepted.id

    def publish_many(
        self,
        events: Iterable[Mapping[str, Any]],
        timeout: float = 0.0,
        headers: Mapping[str, str] | Sequence[Mapping[str, str] | None] | None = None,
    ) -> list[str]:
        """Accept all of the events or none, and return their ids in the same order.

        Parameters:
            events: mappings, as for `publish`.
            timeout: seconds to wait for room for all of them.
            headers: as for `publish`: one mapping for all of them, or one for each.

        Raises:
            InvalidEvent: JSON cannot say one of them; the sentence says which, counted from 0.
            QueueFull: there is no room for all of them.
            SpoolError: the spool cannot be written.
            BrokerClosed: `close` was called.
        """
        given = list(events)
        accepted = [
            _numbered(index, event, each)
            for index, (event, each) in enumerate(
                zip(given, _one_each(headers, len(given)), strict=True)
            )
        ]
        self._engine.append(accepted, timeout)
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
        self._engine.append(events, timeout)

    def flush(self, timeout: float | None = None) -> Status:
        """Wait until every event accepted so far is delivered or a dead letter.

        Parameters:
            timeout: seconds; None waits for ever. When they are over, the status says what waits.
        """
        return self._engine.flush(timeout)

    def close(self, timeout: float = 30.0) -> Status:
        """Accept no more events, deliver those that wait, and release everything.

        Closing again does nothing.

        Parameters:
            timeout: seconds to wait for delivery.

        Raises:
            UndeliveredEvents: events were left in memory when the time was over; says how many.
                What is left in a spool stays there, and is no error.
        """
        return self._engine.close(timeout)

    def status(self) -> Status:
        """Return where the events are, at one moment; with a spool, those of all processes.

        Raises:
            SpoolError: the spool cannot be read.
        """
        return self._engine.status()

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first; those in memory are the latest thousand.

        Raises:
            SpoolError: the spool cannot be read.
        """
        return self._engine.dead_letters()

    async def aflush(self, timeout: float | None = None) -> Status:
        """Do as `flush` without blocking the event loop; cancelling it ends the waiting."""
        # whoever calls this has asyncio; everybody else is spared the 40 ms of its import
        from event_brokers.own_thread import await_call  # noqa: PLC0415

        return await await_call(lambda is_cancelled: self._engine.flush(timeout, is_cancelled))

    async def aclose(self, timeout: float = 30.0) -> Status:
        """Do as `close` without blocking the event loop; closing goes on where it is cancelled."""
        from event_brokers.own_thread import await_call  # noqa: PLC0415 - as above

        return await await_call(lambda _is_cancelled: self._engine.close(timeout))

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

    def _report(self, undelivered: UndeliveredEvents, other: BaseException | None) -> None:
        if other is None:
            raise undelivered
        # the other exception is on its way out and tells the user more
        logger.error("%s: %s", self._settings.plugin.type, undelivered)


def connect(
    source: str | os.PathLike[str] | Mapping[str, Any], name: str | None = None
) -> EventBroker:
    """Return an EventBroker for one `event_broker` section; connects in the background.

    Parameters:
        source: the path of an `endpoints.yml`, or a mapping that is the section itself.
        name: what metrics call it, where a process has several; its type where None.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    return EventBroker(endpoints.read(source), name=name)


def _one_each(
    headers: Mapping[str, str] | Sequence[Mapping[str, str] | None] | None, count: int
) -> Sequence[Mapping[str, str] | None]:
    """Return headers for each of so many events."""
    if headers is None or isinstance(headers, Mapping):
        return [headers] * count
    if len(headers) != count:
        raise InvalidEvent(f"headers: {len(headers)} are given for {count} events; give one each")
    return headers


def _numbered(index: int, event: Mapping[str, Any], headers: Mapping[str, str] | None) -> Event:
    try:
        return Event.from_dict(event, headers=headers)
    except InvalidEvent as error:
        raise InvalidEvent(f"events[{index}]: {error}") from None
