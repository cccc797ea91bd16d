"""Lets a real Rasa 3 deliver through any installed plugin; imports no Rasa.

The loader of Rasa 3.6.21 (rasa/core/brokers/broker.py) finds the class by its dotted name. Its
tracker stores (rasa/core/tracker_store.py) then call `publish` in the midst of a conversation, on
the event loop, before they save: what `publish` raises would take them to another store.
"""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from event_brokers.broker import EventBroker
from event_brokers.endpoints import DeliveryOptions, Settings, settings_from
from event_brokers.errors import (
    BrokerUnavailable,
    EventBrokersError,
    PluginError,
    QueueFull,
    UndeliveredEvents,
)
from event_brokers.event import Event
from event_brokers.hookspecs import hookimpl
from event_brokers.outage import Outage
from event_brokers.plugins import Plugin
from event_brokers.rasa.events import event_from
from event_brokers.rasa.section import TYPE, without_rasa
from event_brokers.section import from_literals
from event_brokers.wording import name_and_first_line

# Rasa's EndpointConfig (rasa/utils/endpoints.py) takes these out, with these values if not given
_ATTRIBUTES: Mapping[str, Any] = {
    "url": None,
    "params": {},
    "headers": {},
    "basic_auth": {},
    "token": None,
    "token_name": "token",
    "cafile": None,
}
_BASE = ("rasa.core.brokers.broker", "EventBroker")  # of every event broker that Rasa has itself
OUTAGE_ENDS_AFTER_SECONDS = 60.0  # a queue that stays full takes an event now and then


class RasaEventBroker:
    """An event broker as Rasa 3 wants one: `type: event_brokers.rasa.RasaEventBroker`.

    Parameters:
        settings: the plugin, its options and how events wait; `from_endpoint_config` makes them.

    Attributes:
        refused: events that could not be accepted, and are lost.
    """

    def __init__(self, settings: Settings) -> None:
        self.refused = 0
        self._name = settings.plugin.type
        self._exit_timeout = settings.delivery.exit_timeout
        self._broker = EventBroker(settings)
        self._entrance = _entrance(self._broker, settings.delivery)
        self._outage = Outage(self._name)
        self._last_refusal = 0.0  # on the clock of `time.monotonic`
        self._reason: str | None = None
        self._is_closed = False

    @classmethod
    async def from_endpoint_config(
        cls, broker_config: Any, event_loop: object = None
    ) -> RasaEventBroker:
        """Return the broker for what Rasa read from `endpoints.yml`.

        Parameters:
            broker_config: Rasa's EndpointConfig; its texts are taken to the letter, for Rasa has
                replaced environment variables already.
            event_loop: not used.

        Raises:
            ConfigurationError: one sentence that names the option and the way out. Never an
                ImportError or AttributeError, after which Rasa would go on without a broker.
        """
        del event_loop
        try:
            written = from_literals({**_options(broker_config), "type": TYPE})
            return cls(settings_from(without_rasa(written)))
        except (ImportError, AttributeError) as error:
            raise PluginError(f"event_broker: {name_and_first_line(error)}") from error

    def publish(self, event: Mapping[str, Any]) -> None:
        """Accept one event; waits neither for the broker nor for the disk, and raises nothing.

        Parameters:
            event: a dictionary of what JSON can say; changing it afterwards changes nothing.
        """
        try:
            self._entrance.accept([event_from(event)])
        except Exception as error:  # noqa: BLE001 - Rasa's conversation must go on, whatever it is
            self._refuse(error)
        else:
            self._end_outage()

    def is_ready(self) -> bool:
        """Return whether events are accepted; the broker itself may be down."""
        return not self._is_closed and not self._outage.is_on

    async def close(self) -> None:
        """Accept no more events and deliver those that wait, for up to `delivery.exit_timeout`.

        Raises:
            UndeliveredEvents: events were left in memory, or had been refused: `rasa export` must
                not report them as published. What is left in a spool stays there.
        """
        if self._is_closed:
            return
        self._is_closed = True
        deadline = time.monotonic() + self._exit_timeout
        left = await self._close_entrance()
        try:
            await self._broker.aclose(max(0.0, deadline - time.monotonic()))
        except UndeliveredEvents as undelivered:
            left, self._reason = undelivered.count, undelivered.reason or self._reason
        if left + self.refused:
            raise UndeliveredEvents(left + self.refused, self._reason)

    async def _close_entrance(self) -> int:
        """Let everything into the spool, and return how many events found no way."""
        if self._entrance is self._broker:
            return 0
        try:
            await self._entrance.aclose(self._exit_timeout)
        except UndeliveredEvents as undelivered:
            self._reason = undelivered.reason or self._reason
            return undelivered.count
        return 0

    def _refuse(self, error: Exception) -> None:
        self.refused += 1
        # what others say may hold a body
        known = isinstance(error, EventBrokersError)
        self._reason = str(error) if known else type(error).__name__
        self._last_refusal = time.monotonic()
        sentence = f"the event broker refuses events, and they are lost: {self._reason}"
        self._outage.failed(None, sentence, logging.ERROR)

    def _end_outage(self) -> None:
        if not self._outage.is_on:
            return
        if time.monotonic() - self._last_refusal >= OUTAGE_ENDS_AFTER_SECONDS:
            self._outage.recovered("accepts events again", f"; {self.refused} were lost")


def loadable_class() -> type[RasaEventBroker]:
    """Return the class as a loader takes it: derived from Rasa's own base, where that is loaded.

    The loader of Rasa Pro 3.21 for `integrations.yml` (rasa/mantle/config/runtime_endpoints.py)
    refuses any other; whoever loads it has imported the base, so that nothing is imported here.
    """
    module, name = _BASE
    base = getattr(sys.modules.get(module), name, None)
    return _derived_from(base) if isinstance(base, type) else RasaEventBroker


@functools.cache
def _derived_from(base: type) -> type[RasaEventBroker]:
    described = {"__doc__": RasaEventBroker.__doc__, "__module__": RasaEventBroker.__module__}
    return type(RasaEventBroker.__name__, (RasaEventBroker, base), described)


class _IntoSpool:
    """The hooks of a plugin whose broker is the spool of another EventBroker.

    Rasa's event loop hands events over in memory; writing them to disk is delivery, too: in order,
    on a thread of its own, and tried again while the disk is full.
    """

    def __init__(self, broker: EventBroker) -> None:
        self._broker = broker

    @hookimpl
    def connect(self, options: object) -> EventBroker:  # noqa: ARG002 - the hook's signature
        """Return the EventBroker that has the spool."""
        return self._broker

    @hookimpl
    def publish(self, connection: EventBroker, events: Sequence[Event]) -> None:
        """Write the batch to disk, or as much of it as there is room for."""
        try:
            connection.accept(events)
        except QueueFull:
            _fill(connection, events)
        except EventBrokersError as error:
            raise BrokerUnavailable(str(error)) from error

    @hookimpl
    def close(self, connection: EventBroker) -> None:
        """Do nothing: the EventBroker goes on."""


def _fill(broker: EventBroker, events: Sequence[Event]) -> None:
    written: list[str] = []
    for event in events:
        try:
            broker.accept([event])
        except EventBrokersError as error:
            raise BrokerUnavailable(str(error), confirmed=written) from error
        written.append(event.id)


def _entrance(broker: EventBroker, delivery: DeliveryOptions) -> EventBroker:
    """Return what takes events without waiting: the broker itself, or memory before its spool."""
    if delivery.spool is None:
        return broker
    in_memory = DeliveryOptions(
        max_pending=delivery.max_pending,
        max_bytes=delivery.max_bytes,
        exit_timeout=delivery.exit_timeout,
    )
    plugin = Plugin("spool", "event-brokers", _IntoSpool(broker))
    return EventBroker(Settings(plugin=plugin, options={}, delivery=in_memory))


def _options(broker_config: Any) -> dict[str, Any]:
    """Return the options as they stood in the section, put together again."""
    attributes = {
        name: getattr(broker_config, name)
        for name, absent in _ATTRIBUTES.items()
        if getattr(broker_config, name) != absent
    }
    return {**broker_config.kwargs, **attributes}
