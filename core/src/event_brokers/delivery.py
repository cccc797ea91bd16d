"""The loop that takes events from the queue and calls the plugin: batch, retry, back off."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any

from event_brokers import program_exit
from event_brokers.buffer import DeadLetter, Queue
from event_brokers.endpoints import Settings
from event_brokers.errors import ConfigurationError, EventBrokersError, RejectedEvents
from event_brokers.event import Event
from event_brokers.secret import mask

logger = logging.getLogger("event_brokers")
dead_letters_logger = logging.getLogger("event_brokers.dead_letters")

BATCH_EVENTS = 4_096
BATCH_BYTES = 8 * 1024 * 1024
FIRST_RETRY_SECONDS = 0.1
FIRST_HALTED_SECONDS = 1.0
LONGEST_DELAY_SECONDS = 30.0
LONGEST_HURRIED_DELAY_SECONDS = 1.0
_LONGEST_SENTENCE = 500


class State(str, Enum):
    """What delivery is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    HALTED = "halted"
    CLOSED = "closed"


class Delivery:
    """Delivers the events of one queue through one plugin, on a thread of its own.

    Parameters:
        queue: where the events wait.
        settings: the plugin and its options.

    Attributes:
        state: what it is doing now.
        last_error: the last error's sentence, without secrets; None while all is well.
    """

    def __init__(self, queue: Queue, settings: Settings) -> None:
        self.state = State.CONNECTING
        self.last_error: str | None = None
        self._queue = queue
        self._settings = settings
        self._hook = settings.plugin.hook
        self._name = settings.plugin.type
        self._secrets = settings.secrets()
        self._batch_limit = BATCH_EVENTS
        self._random = random.Random()  # the application may have seeded the common one
        self._failures = 0
        self._failing_since = 0.0
        self._no_delay = threading.Event()
        self._hurried = self._finishing = self._abandoned = False
        self._thread = threading.Thread(
            target=self._run, name=f"event-brokers-{self._name}", daemon=True
        )

    def start(self) -> None:
        """Start connecting and delivering."""
        self._thread.start()

    def hurry(self) -> None:
        """Try at once, and from now on with short delays between attempts."""
        self._hurried = True
        self._no_delay.set()

    def finish(self) -> None:
        """Deliver what waits in a hurry, and then end."""
        self._finishing = True
        self.hurry()
        self._queue.wake()

    def abandon(self) -> None:
        """End after the call of the plugin that is under way, whatever waits."""
        self._abandoned = True
        self.finish()

    def join(self, timeout: float | None) -> bool:
        """Wait until delivery has ended; return whether it has.

        Parameters:
            timeout: seconds; None waits for ever.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while self._is_wanted():
            try:
                with self._connection() as connection:
                    self._deliver(connection)
            except ConfigurationError as error:
                self._failed(State.HALTED, error)
            except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, events stay
                self._failed(State.RETRYING, error)
        self.state = State.CLOSED

    def _is_wanted(self) -> bool:
        if self._abandoned:
            return False
        return not self._finishing or self._queue.counts().pending > 0

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        connection = self._hook.connect(options=self._settings.options)
        if connection is None:
            raise self._settings.plugin.error("hook 'connect' returned None, not a connection")
        program_exit.stay_first()
        try:
            yield connection
        finally:
            self._close(connection)

    def _close(self, connection: Any) -> None:
        try:
            self._hook.close(connection=connection)
        except Exception as error:  # noqa: BLE001 - a bad goodbye must not hide what came before
            logger.warning("%s: closing the connection failed: %s", self._name, self._say(error))

    def _deliver(self, connection: Any) -> None:
        if self.state is State.CONNECTING or not self._queue.counts().pending:
            self._succeeded()
        while self._is_wanted():
            if self._queue.wait_for_event(timeout=None):
                self._publish(connection, _cut(self._queue.peek(self._batch_limit)))

    def _publish(self, connection: Any, events: Sequence[Event]) -> None:
        try:
            self._hook.publish(connection=connection, events=events)
        except RejectedEvents as rejected:
            self._succeeded()
            self._queue.settle(rejected.confirmed)
            self._bury(rejected, events)
        except BaseException as error:
            self._queue.settle(getattr(error, "confirmed", ()))
            raise
        else:
            # before settling: whoever waits for the last event finds the state up to date
            self._succeeded()
            self._queue.settle([event.id for event in events])
            self._batch_limit = min(BATCH_EVENTS, self._batch_limit * 2)

    def _bury(self, rejected: RejectedEvents, events: Sequence[Event]) -> None:
        reasons = rejected.reasons
        if not reasons and len(events) > 1:
            # nobody knows which event it is: smaller batches will tell
            self._batch_limit = len(events) // 2
            return
        if not reasons:
            reasons = {events[0].id: str(rejected)}
        now = time.time()
        letters = [
            DeadLetter(event, mask(reasons[event.id], self._secrets), now)
            for event in events
            if event.id in reasons
        ]
        self._queue.bury(letters)
        for letter in letters:
            dead_letters_logger.error(
                "%s: event %s is a dead letter: %s", self._name, letter.event.id, letter.reason
            )

    def _succeeded(self) -> None:
        if self.state is State.CONNECTED:
            return
        if self._failures:
            logger.warning(
                "%s: recovered after %.1f s with %d events waiting",
                self._name,
                time.monotonic() - self._failing_since,
                self._queue.counts().pending,
            )
        else:
            logger.info("%s: connected", self._name)
        self.state, self.last_error, self._failures = State.CONNECTED, None, 0

    def _failed(self, state: State, error: BaseException) -> None:
        before, sentence = self.state, self._say(error)
        self.state, self.last_error = state, sentence
        if not self._failures:
            self._failing_since = time.monotonic()
        delay = self._delay(state)
        self._failures += 1
        if state is not before:
            level = logging.ERROR if state is State.HALTED else logging.WARNING
            text = "%s: %s: %s; next attempt in %.1f s"
            logger.log(level, text, self._name, state.value, sentence, delay)
            logger.debug("%s: the cause", self._name, exc_info=error)
        self._no_delay.clear()
        # whoever abandons says so first and then sets the event: nothing is missed here
        if not self._abandoned:
            self._no_delay.wait(delay)

    def _delay(self, state: State) -> float:
        """Return the seconds until the next attempt: exponential, with jitter, capped."""
        first = FIRST_HALTED_SECONDS if state is State.HALTED else FIRST_RETRY_SECONDS
        longest = LONGEST_HURRIED_DELAY_SECONDS if self._hurried else LONGEST_DELAY_SECONDS
        delay = min(longest, first * 2.0 ** min(self._failures, 16))
        return delay * self._random.uniform(0.5, 1.0)

    def _say(self, error: BaseException) -> str:
        text = str(error)
        if not isinstance(error, EventBrokersError):
            text = f"{type(error).__name__}: {text}" if text else type(error).__name__
        line = text.strip().partition("\n")[0]
        return mask(line, self._secrets)[:_LONGEST_SENTENCE]


def _cut(events: list[Event]) -> list[Event]:
    """Return the first events that together stay below BATCH_BYTES, one at the least."""
    total = 0
    for count, event in enumerate(events):
        total += len(event.body)
        if total > BATCH_BYTES and count:
            return events[:count]
    return events
