"""Consumer, what reads events back from a broker, each acknowledged when the next is asked for."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from types import TracebackType
from typing import Any

from event_brokers import back_off, endpoints
from event_brokers.endpoints import Settings
from event_brokers.errors import BrokerUnavailable, ConfigurationError
from event_brokers.event import ReceivedEvent
from event_brokers.secret import mask

logger = logging.getLogger("event_brokers")

DEFAULT_GROUP = "event-brokers"


class Consumer(Iterator[ReceivedEvent]):
    """Yields events as they arrive, for ever; reconnects by itself.

    An event is acknowledged when the next one is asked for. One that is in hand when the consumer
    is closed, or its process ends, comes again.

    Parameters:
        settings: of the broker; `consume` makes them.
        group: consumers of one group share the events; None is none, and leaves no trace.
        from_start: whether a group without a position begins with the oldest event there is.

    Raises:
        ConfigurationError: the plugin has no hook `consume`.
    """

    def __init__(self, settings: Settings, group: str | None, from_start: bool) -> None:
        if not settings.plugin.has("consume"):
            raise ConfigurationError(
                f"event_broker.type: '{settings.plugin.type}' cannot be consumed from; "
                "its plugin has no hook 'consume'"
            )
        self._settings = settings
        self._group = group
        self._from_start = from_start
        self._received: Generator[ReceivedEvent | None, None, None] | None = None
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._failures = 0
        self._failing_since: float | None = None

    def __next__(self) -> ReceivedEvent:
        """Acknowledge the event before, and return the next one when it has arrived.

        Raises:
            ConfigurationError: a person must change something.
            StopIteration: the consumer was closed.
        """
        while not self._closed.is_set():
            try:
                received = self._next()
            except BrokerUnavailable as error:
                self._lost(error)
                continue
            except BaseException:
                self.close()
                raise
            self._recovered()
            if received is not None:
                return received
        raise StopIteration

    def close(self) -> None:
        """End the consumer, from any thread; the event in hand is not acknowledged."""
        self._closed.set()
        with self._turn:
            self._release()

    def __enter__(self) -> Consumer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _next(self) -> ReceivedEvent | None:
        with self._turn:
            if self._closed.is_set():
                return None
            if self._received is None:
                self._received = self._settings.plugin.hook.consume(
                    options=self._settings.options,
                    group=self._group,
                    from_start=self._from_start,
                )
            try:
                return next(self._received)
            except StopIteration:
                raise self._settings.plugin.error(
                    "hook 'consume' ended; it must yield for ever, or raise"
                ) from None
            except BaseException:
                self._received = None
                raise

    def _release(self) -> None:
        received, self._received = self._received, None
        if received is not None:
            received.close()

    def _lost(self, error: BrokerUnavailable) -> None:
        name = self._settings.plugin.type
        delay = back_off.delay(self._failures)
        self._failures += 1
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            sentence = mask(str(error), self._settings.secrets())
            logger.warning("%s: consuming: %s; next attempt in %.1f s", name, sentence, delay)
        # without a group there is no position to go on from, and the start was shown already
        self._from_start = self._from_start and self._group is not None
        self._closed.wait(delay)

    def _recovered(self) -> None:
        if self._failing_since is not None:
            seconds = time.monotonic() - self._failing_since
            logger.warning("%s: consuming again after %.1f s", self._settings.plugin.type, seconds)
        self._failures, self._failing_since = 0, None


def consume(
    source: str | os.PathLike[str] | Mapping[str, Any],
    group: str = DEFAULT_GROUP,
    from_start: bool = False,
) -> Consumer:
    """Return a consumer of the events that `connect` with the same source publishes.

    Parameters:
        source: the path of an `endpoints.yml`, or a mapping that is the section itself.
        group: consumers of one group share the events, each group gets them all.
        from_start: whether a group without a position begins with the oldest event there is,
            not with what arrives from now on.

    Raises:
        ConfigurationError: one sentence that names file, line, option and the way out.
    """
    return Consumer(endpoints.read(source), group, from_start)
