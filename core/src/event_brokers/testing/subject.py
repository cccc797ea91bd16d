"""The plugin that is checked: connections and brokers of it, all of them closed at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from msgspec import structs

from event_brokers.broker import EventBroker
from event_brokers.consumer import Consumer
from event_brokers.delays import Delays
from event_brokers.errors import PartlyPublished
from event_brokers.event import Event
from event_brokers.plugins import Plugin
from event_brokers.settings import Settings
from event_brokers.testing.hook_thread import HookThread
from event_brokers.testing.loading import make_settings
from event_brokers.testing.reading import Reading

_SHORT_DELAYS = Delays(first=0.02, first_halted=0.02, longest=0.5, hurried=0.2)


class Connected:
    """One connection of the plugin, whose hooks are called on a thread of its own.

    Parameters:
        plugin: which is checked.
        options: as the core hands them to it.
        hook_seconds: that `connect` and `publish` may take.
        close_seconds: that `close` may take.

    Raises:
        DoesNotReturn: `connect` took longer.
        Exception: what `connect` raises.
    """

    def __init__(
        self, plugin: Plugin, options: Any, hook_seconds: float, close_seconds: float
    ) -> None:
        self._hook = plugin.hook
        self._seconds = hook_seconds
        self._close_seconds = close_seconds
        self._thread = HookThread()
        self._is_closed = False
        try:
            self.connection: Any = self._thread.call(
                lambda: self._hook.connect(options=options, used=set()), hook_seconds
            )
            if self.connection is None:
                raise plugin.error("hook 'connect' returned None, not a connection")
        except BaseException:
            self._thread.end()
            raise

    def publish(self, events: Sequence[Event]) -> list[Event]:
        """Publish a batch; raises what the hook raises, or DoesNotReturn.

        Returns the list that the hook was given, as it has left it.
        """
        given = list(events)
        try:
            self._thread.call(
                lambda: self._hook.publish(connection=self.connection, events=given), self._seconds
            )
        except PartlyPublished as partly:
            # as the core does; what is confirmed is no longer there to be confirmed again
            left = [event for event in events if event.id not in partly.confirmed]
            if len(left) == len(events):
                raise
            return [*given[: len(events) - len(left)], *self.publish(left)]
        return given

    def close(self) -> None:
        """Close the connection; raises what the hook raises, or DoesNotReturn."""
        self._is_closed = True
        self._thread.call(lambda: self._hook.close(connection=self.connection), self._close_seconds)

    def end(self) -> None:
        """Close the connection unless that was done, and end its thread."""
        if not self._is_closed and not self._thread.is_stuck:
            with suppress(Exception):
                self.close()
        self._thread.end()


class Subject:
    """The plugin that is checked.

    Parameters:
        plugin: the plugin.
        hook_seconds: that its hooks may take.
        close_seconds: that its hook `close` may take.
    """

    def __init__(self, plugin: Plugin, hook_seconds: float, close_seconds: float) -> None:
        self.plugin = plugin
        self.hook_seconds = hook_seconds
        self.close_seconds = close_seconds
        self._connected: list[Connected] = []
        self._brokers: list[EventBroker] = []
        self._consumers: list[Consumer] = []
        self._readings: list[Reading] = []
        self._threads: list[HookThread] = []

    def settings(self, options: Mapping[str, Any], plugin: Plugin | None = None) -> Settings:
        """Return the settings that options stand for.

        Parameters:
            options: as they stand under `event_broker`.
            plugin: in the place of the one that is checked.
        """
        settings = make_settings(self.plugin, options)
        return structs.replace(settings, plugin=plugin or self.plugin)

    def connect(self, options: Mapping[str, Any]) -> Connected:
        """Return a connection; raises what the hook raises, or DoesNotReturn."""
        given = self.settings(options).options
        connected = Connected(self.plugin, given, self.hook_seconds, self.close_seconds)
        self._connected.append(connected)
        return connected

    def broker(self, options: Mapping[str, Any], plugin: Plugin | None = None) -> EventBroker:
        """Return an EventBroker that delivers through the plugin, with short delays.

        Parameters:
            options: as they stand under `event_broker`.
            plugin: in the place of the one that is checked.
        """
        broker = EventBroker(self.settings(options, plugin), _SHORT_DELAYS)
        self._brokers.append(broker)
        return broker

    def consumer(
        self, options: Mapping[str, Any], group: str | None, from_start: bool = True
    ) -> Consumer:
        """Return a Consumer that receives through the plugin, with short delays.

        Parameters:
            options: as they stand under `event_broker`.
            group: of consumers.
            from_start: whether a new group begins with the oldest event.
        """
        consumer = Consumer(self.settings(options), group, from_start, _SHORT_DELAYS)
        self._consumers.append(consumer)
        return consumer

    def reading(
        self, options: Mapping[str, Any], group: str | None, from_start: bool = True
    ) -> Reading:
        """Return what the hook `consume` yields.

        Parameters:
            options: as they stand under `event_broker`.
            group: of consumers; None only looks on.
            from_start: whether a new group begins with the oldest event.
        """
        given = self.settings(options).options
        reading = Reading(self.plugin, given, group, from_start, self.hook_seconds)
        self._readings.append(reading)
        return reading

    def check(self, options: Mapping[str, Any]) -> Sequence[str]:
        """Return what the hook `check` returns; raises what it raises, or DoesNotReturn."""
        given = self.settings(options).options
        thread = HookThread()
        self._threads.append(thread)
        found: Sequence[str] = thread.call(
            lambda: self.plugin.hook.check(options=given), self.hook_seconds
        )
        return found

    def end(self) -> None:
        """Close everything that a check has left open, unless the plugin does not let it."""
        thread = HookThread()
        self._threads.append(thread)
        with suppress(Exception):
            thread.call(self._close_consumers, self.close_seconds)
        for reading in self._readings:
            reading.end()
        for broker in self._brokers:
            with suppress(Exception):
                broker.close(0.0)
        for connected in self._connected:
            connected.end()
        for each in self._threads:
            each.end()

    def _close_consumers(self) -> None:
        for consumer in self._consumers:
            consumer.close()
