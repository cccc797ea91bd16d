"""The loop that takes events from the queue and calls the plugin: batch, retry, back off."""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any

from event_brokers import back_off, program_exit
from event_brokers.back_off import FIRST_RETRY_SECONDS, LONGEST_DELAY_SECONDS
from event_brokers.buffer import Condition, DeadLetter, Queue
from event_brokers.endpoints import Settings
from event_brokers.errors import (
    ConfigurationError,
    EventBrokersError,
    PublishError,
    RejectedEvents,
)
from event_brokers.event import Event
from event_brokers.secret import mask

logger = logging.getLogger("event_brokers")
dead_letters_logger = logging.getLogger("event_brokers.dead_letters")

BATCH_EVENTS = 4_096
BATCH_BYTES = 8 * 1024 * 1024
FIRST_HALTED_SECONDS = 1.0
LONGEST_HURRIED_DELAY_SECONDS = 1.0
_LONGEST_SENTENCE = 500
_FORK_SECONDS = 1.0  # that a fork waits for a plugin that connects


class State(str, Enum):
    """What delivery is doing."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    RETRYING = "retrying"
    HALTED = "halted"
    CLOSED = "closed"


class _Unforeseen(EventBrokersError):
    """A plugin's `publish` failed in a way of which the core knows nothing.

    Says which error it was and where it came about, but not its text: that may hold an event.
    """

    def __init__(self, error: BaseException) -> None:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        super().__init__(f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}")


class _Frames:
    """Where an error and those behind it came about, without what they say; made when logged."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        parts = []
        error: BaseException | None = self._error
        while error is not None:
            parts += [type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]
            error = error.__cause__ or error.__context__
        return "".join(parts)


class Delivery:
    """Delivers the events of one queue through one plugin, on a thread of its own.

    Parameters:
        queue: where the events wait.
        settings: the plugin and its options.

    """

    def __init__(self, queue: Queue, settings: Settings) -> None:
        self._state = State.CONNECTING
        self._last_error: str | None = None
        self._queue = queue
        self._settings = settings
        self._hook = settings.plugin.hook
        self._used: set[str] = set()
        self._name = settings.plugin.type
        self._secrets = settings.secrets()
        self._max_attempts = settings.delivery.max_attempts
        self._batch_limit = BATCH_EVENTS
        self._failing_alone: str | None = None  # the id of the event for which all waits
        self._attempts = 0  # of that event
        self._failures = 0
        self._failing_since: float | None = None
        self._no_delay = threading.Event()
        self._connecting = threading.Lock()
        self._is_held = False
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

    def before_fork(self) -> None:
        """Let the plugin finish connecting, but not for long.

        It may be importing its client: a child would wait for ever for a module that was half
        imported by a thread that does not exist there.
        """
        self._is_held = self._connecting.acquire(timeout=_FORK_SECONDS)

    def after_fork(self) -> None:
        """Let the plugin connect again, in the parent and in the child."""
        if self._is_held:
            self._connecting.release()

    def join(self, timeout: float | None) -> bool:
        """Wait until delivery has ended; return whether it has.

        Parameters:
            timeout: seconds; None waits for ever.
        """
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._abandoned:
            try:
                if self._is_done():
                    break
                if self._queue.acquire():
                    self._note(self._state, self._last_error)
                    with self._connection() as connection:
                        self._deliver(connection)
            except ConfigurationError as error:
                self._failed(State.HALTED, error)
            except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, events stay
                self._failed(State.RETRYING, error)
        self._queue.release()
        self._queue.dispose()  # whoever abandoned this thread has done so before it ended

    def _is_done(self) -> bool:
        return self._finishing and not self._queue.counts().pending

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        with self._connecting:
            connection = self._hook.connect(options=self._settings.options, used=self._used)
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
        if self._state is State.CONNECTING or not self._queue.counts().pending:
            self._succeeded()
        while not self._abandoned and not self._is_done():
            if self._queue.wait_for_event(timeout=None):
                self._publish(connection, self._queue.peek(self._batch_limit, BATCH_BYTES))

    def _publish(self, connection: Any, events: Sequence[Event]) -> None:
        try:
            self._hook.publish(connection=connection, events=events)
        except RejectedEvents as rejected:
            self._succeeded()
            self._queue.settle(rejected.confirmed)
            self._bury_rejected(rejected, events)
            if rejected.reconnect:
                raise
        except (PublishError, ConfigurationError, OSError) as error:
            self._queue.settle(getattr(error, "confirmed", ()))
            raise
        except BaseException as error:
            unforeseen = _Unforeseen(error)
            self._narrow(unforeseen, events)
            raise unforeseen from error
        else:
            # before settling: whoever waits for the last event finds the state up to date
            self._succeeded()
            self._queue.settle([event.id for event in events])
            self._batch_limit = min(BATCH_EVENTS, self._batch_limit * 2)

    def _narrow(self, error: _Unforeseen, events: Sequence[Event]) -> None:
        """Look for the event on which a plugin fails in a way that it does not foresee."""
        if len(events) > 1:
            self._batch_limit = len(events) // 2
            self._failures = 0  # a smaller batch is another attempt: no reason to wait longer
            return
        event = events[0]
        self._attempts = self._attempts + 1 if self._failing_alone == event.id else 1
        self._failing_alone = event.id
        if self._max_attempts is not None and self._attempts >= self._max_attempts:
            self._bury({event.id: self._say(error)}, events, self._attempts)

    def _bury_rejected(self, rejected: RejectedEvents, events: Sequence[Event]) -> None:
        if not rejected.reasons and len(events) > 1:
            # nobody knows which event it is: smaller batches will tell
            self._batch_limit = len(events) // 2
            return
        self._bury(rejected.reasons or {events[0].id: str(rejected)}, events, attempts=1)

    def _bury(self, reasons: Mapping[str, str], events: Sequence[Event], attempts: int) -> None:
        now = time.time()
        letters = [
            DeadLetter(event, mask(reasons[event.id], self._secrets), now, attempts)
            for event in events
            if event.id in reasons
        ]
        self._queue.bury(letters)
        for letter in letters:
            dead_letters_logger.error(
                "%s: event %s is a dead letter: %s", self._name, letter.event.id, letter.reason
            )

    def _succeeded(self) -> None:
        if self._state is State.CONNECTED:
            return
        if self._failing_since is None:
            logger.info("%s: connected", self._name)
        else:
            logger.warning(
                "%s: recovered after %.1f s with %d events waiting",
                self._name,
                time.monotonic() - self._failing_since,
                self._queue.counts().pending,
            )
        self._failures, self._failing_since, self._failing_alone = 0, None, None
        self._note(State.CONNECTED, None)

    def _failed(self, state: State, error: BaseException) -> None:
        sentence = self._say(error)
        if self._failing_alone is not None:
            sentence = f"event {self._failing_alone} fails alone: {sentence}"
        if self._failing_since is None:
            self._failing_since = time.monotonic()
        delay = self._delay(state)
        self._failures += 1
        if self._is_news(state, sentence):
            level = logging.ERROR if state is State.HALTED else logging.WARNING
            text = "%s: %s: %s; next attempt in %.1f s"
            logger.log(level, text, self._name, state.value, sentence, delay)
            logger.debug("%s: the cause: %s", self._name, _Frames(error))
        self._note(state, sentence)
        self._no_delay.clear()
        # whoever abandons says so first and then sets the event: nothing is missed here
        if not self._abandoned:
            self._no_delay.wait(delay)

    def _is_news(self, state: State, sentence: str) -> bool:
        if state is not self._state:
            return True
        return state is State.HALTED and sentence != self._last_error

    def _note(self, state: State, last_error: str | None) -> None:
        self._state, self._last_error = state, last_error
        self._queue.note(Condition(state.value, last_error))

    def _delay(self, state: State) -> float:
        first = FIRST_HALTED_SECONDS if state is State.HALTED else FIRST_RETRY_SECONDS
        longest = LONGEST_HURRIED_DELAY_SECONDS if self._hurried else LONGEST_DELAY_SECONDS
        return back_off.delay(self._failures, first, longest)

    def _say(self, error: BaseException) -> str:
        text = str(error)
        if not isinstance(error, EventBrokersError):
            text = f"{type(error).__name__}: {text}" if text else type(error).__name__
        line = text.strip().partition("\n")[0]
        return mask(line, self._secrets)[:_LONGEST_SENTENCE]
