"""Consumer, what reads events back from a broker, each acknowledged when the next is asked for."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator, Mapping
from types import TracebackType
from typing import Any

from event_brokers import endpoints
from event_brokers.bell import Bell
from event_brokers.delays import Delays, retry_delay
from event_brokers.errors import ConfigurationError, EventBrokersError
from event_brokers.event import ReceivedEvent
from event_brokers.living import Living
from event_brokers.log import logger
from event_brokers.measurements import Received
from event_brokers.outage import Outage
from event_brokers.secret import mask
from event_brokers.settings import Settings
from event_brokers.signal_handlers import is_from_signal_handler
from event_brokers.unforeseen import Unforeseen
from event_brokers.wording import first_line, name_and_first_line

DEFAULT_GROUP = "event-brokers"
RECEIVED: Living[Received] = Living()  # what the open consumers of this process have received
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=RECEIVED.forget_all)  # they are the parent's


class Consumer(Iterator[ReceivedEvent]):
    """Yields events as they arrive, for ever; reconnects by itself.

    An event is acknowledged when the next one is asked for. One that is in hand when the consumer
    is closed, or its process ends, comes again.

    Parameters:
        settings: of the broker; `consume` makes them.
        group: consumers of one group share the events; None is none, and leaves no trace.
        from_start: whether a group without a position begins with the oldest event there is.
        delays: how long to wait before the next attempt.

    Raises:
        ConfigurationError: the plugin has no hook `consume`.
    """

    def __init__(
        self,
        settings: Settings,
        group: str | None,
        from_start: bool,
        delays: Delays | None = None,
    ) -> None:
        if not settings.plugin.has("consume"):
            raise ConfigurationError(
                f"event_broker.type: '{settings.plugin.type}' cannot be consumed from; "
                "its plugin has no hook 'consume'"
            )
        self._settings = settings
        self._group = group
        self._from_start = from_start
        self._delays = delays or Delays()
        self._used: set[str] = set()
        self._received: Generator[ReceivedEvent | None, None, None] | None = None
        # may be entered again: a signal handler that closes can strike while it is held
        self._turn = threading.RLock()
        self._is_asking = False
        self._is_closed = False
        self._closed = Bell()
        self._outage = Outage(settings.plugin.type)
        self._counted = Received(settings.plugin.type, group)
        self._counted.name = RECEIVED.add(self._counted, settings.plugin.type)

    def __next__(self) -> ReceivedEvent:
        """Acknowledge the event before, and return the next one when it has arrived.

        Raises:
            ConfigurationError: a person must change something.
            StopIteration: the consumer was closed.
        """
        while not self._is_closed:
            try:
                received = self._next()
            except ConfigurationError:
                self.close()
                raise
            except Exception as error:
                if is_from_signal_handler(error):
                    self.close()
                    raise
                self._lose(error)  # as for publishing: whatever it is, again
                continue
            except BaseException:
                self.close()
                raise
            self._outage.recovered("consuming again")
            if received is not None:
                self._counted.events += 1
                return received
        self._release()
        raise StopIteration

    def close(self) -> None:
        """End the consumer, from any thread; the event in hand is not acknowledged."""
        self._is_closed = True
        RECEIVED.forget(self._counted)
        self._closed.ring()
        with self._turn:
            if (
                not self._is_asking
            ):  # else this is a signal handler: `next` releases when it goes on
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
            self._is_asking = True
            try:
                return self._ask()
            finally:
                self._is_asking = False

    def _ask(self) -> ReceivedEvent | None:
        if self._is_closed:
            return None
        if self._received is None:
            self._received = self._settings.plugin.hook.consume(
                options=self._settings.options,
                group=self._group,
                from_start=self._from_start,
                used=self._used,
            )
        try:
            received = next(self._received)
        except StopIteration:
            raise self._settings.plugin.error(
                "hook 'consume' ended; it must yield for ever, or raise"
            ) from None
        except BaseException:
            self._received = None
            raise
        # closed by a signal handler meanwhile: what came is not acknowledged, and comes again
        return None if self._is_closed else received

    def _release(self) -> None:
        received, self._received = self._received, None
        if received is None:
            return
        try:
            received.close()
        except Exception as error:  # noqa: BLE001 - a bad goodbye must not hide what came before
            logger.warning(
                "%s: closing the consumer failed: %s",
                self._settings.plugin.type,
                self._say(error),
            )

    def _lose(self, error: Exception) -> None:
        delay = retry_delay(self._delays.first, self._outage.failures, self._delays.longest)
        sentence = f"consuming: {self._say(error)}; next attempt in {delay:.1f} s"
        self._outage.failed(None, sentence)
        # without a group there is no position to go on from, and the start was shown already
        self._from_start = self._from_start and self._group is not None
        self._closed.wait_for(lambda: self._is_closed, delay)

    def _say(self, error: Exception) -> str:
        return mask(_in_words(error), self._settings.secrets())


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


def _in_words(error: Exception) -> str:
    if isinstance(error, EventBrokersError):
        return first_line(error)
    if isinstance(error, OSError):
        return name_and_first_line(error)
    return first_line(Unforeseen(error))  # its own text may hold an event
