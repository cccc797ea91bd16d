"""The loop that takes events from the queue and calls the plugin."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from event_brokers import watcher
from event_brokers.bell import Bell
from event_brokers.condition import Progress, State
from event_brokers.delays import Delays, retry_delay
from event_brokers.delivery_thread import DeliveryThread
from event_brokers.errors import (
    BrokerUnavailable,
    ConfigurationError,
    EventBrokersError,
    PartlyPublished,
    PublishError,
    RejectedEvents,
)
from event_brokers.event import Event
from event_brokers.log import dead_letters_logger, logger
from event_brokers.measurements import Calls
from event_brokers.narrowing import Narrowing
from event_brokers.outage import Outage
from event_brokers.plugin_calls import LeftBehind, PluginCalls
from event_brokers.queues.protocol import DeadLetter, Queue
from event_brokers.report import Report
from event_brokers.secret import mask
from event_brokers.settings import Settings
from event_brokers.unforeseen import Frames, Unforeseen
from event_brokers.wording import first_line, name_and_first_line

BATCH_EVENTS = 4_096
BATCH_BYTES = 8 * 1024 * 1024
_LONGEST_SENTENCE = 500
_LOOK_SECONDS = 1.0  # a publisher that was interrupted may have left an event and woken nobody
_MOST_LEFT_BEHIND = 16  # threads whose plugin never came back


class Delivery:
    """Delivers the events of one queue through one plugin, on a thread of its own.

    Parameters:
        queue: where the events wait.
        settings: the plugin and its options.
        delays: how long to wait.
    """

    def __init__(self, queue: Queue, settings: Settings, delays: Delays) -> None:
        self._queue = queue
        self._settings = settings
        self._name = settings.plugin.type
        self._secrets = settings.secrets()
        self._delays = delays
        self._calls = PluginCalls(settings.plugin, delays)
        self._narrowing = Narrowing(BATCH_EVENTS, settings.delivery.max_attempts)
        self._outage = Outage(self._name)
        self._report = Report(queue.right)
        self._known: frozenset[str] = frozenset()  # places in which events were confirmed before
        self._used: set[str] = set()
        self._is_finishing = self._is_abandoned = self._is_hurried = self._is_due = False
        self._due = Bell()
        self._thread = DeliveryThread(f"event-brokers-{self._name}", self._run, self._tell_of_death)

    def ensure_running(self) -> bool:
        """Start connecting and delivering where no thread does; return whether none did."""
        return self._thread.ensure_running()

    def hurry(self) -> None:
        """Try at once, and from now on with short delays between attempts."""
        self._is_hurried = self._is_due = True
        self._due.ring()
        self._queue.wake()

    def finish(self) -> None:
        """Deliver what waits in a hurry, and then end."""
        self._is_finishing = True
        self.hurry()

    def abandon(self) -> None:
        """End after the call of the plugin that is under way, whatever waits."""
        self._is_abandoned = True
        self.finish()

    def wait_until_over(self, timeout: float) -> bool:
        """Wait until delivery has ended; return whether it has.

        Parameters:
            timeout: seconds; on the thread of delivery itself there is no waiting.
        """
        return self._thread.wait_until_over(0.0 if self._thread.is_mine() else timeout)

    def is_on_this_thread(self) -> bool:
        """Return whether the caller is on the thread that delivers."""
        return self._thread.is_mine()

    def look_after(self) -> None:
        """Tell of a plugin that hangs, and leave it behind where it only had to close."""
        self._thread.ensure_running()
        hanging = self._calls.hanging()
        if hanging is None:
            return
        if hanging.is_news:
            self._calls.mark_told()
            logger.warning("%s: %s", self._name, hanging.sentence)
        if self._thread.left_behind >= _MOST_LEFT_BEHIND:
            return
        if hanging.is_closing and self._calls.leave_behind():
            logger.warning(
                "%s: the connection that does not close is left behind on its thread, %d so far",
                self._name,
                self._thread.left_behind + 1,
            )
            self._thread.leave_behind()

    def trouble(self) -> str | None:
        """Return what the plugin does not come back from; None where it does not hang."""
        hanging = self._calls.hanging()
        return None if hanging is None else hanging.sentence

    @property
    def calls(self) -> Calls:
        """How often the plugin was called, and how that failed."""
        return self._calls.counted

    @property
    def progress(self) -> Progress:
        """What the broker has confirmed lately, of this process."""
        return self._report.progress

    def before_fork(self) -> None:
        """Let the plugin finish importing its client, for a child could never import it."""
        self._calls.before_fork(self._thread.ident)

    def _run(self) -> None:
        while not self._is_abandoned:
            try:
                if self._is_done() and self._queue.shut():
                    break
                self._attempt()
            except LeftBehind:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever it is, events stay
                self._wait(self._fail(State.RETRYING, error))
        self._report.catch_up()
        self._queue.right.release()
        self._queue.close()  # whoever abandoned this thread has done so before it ended

    def _is_done(self) -> bool:
        return self._is_finishing and not self._queue.counts().pending

    def _attempt(self) -> None:
        """Connect, and deliver until something fails or nothing is left to do."""
        connection, delay = None, None
        try:
            if not self._queue.right.acquire():
                return
            self._report.begin()
            self._known = self._queue.used_places()
            self._used = set(self._known)
            connection = self._calls.connect(self._settings.options, self._used)
            watcher.stay_first()
            self._deliver(connection)
        except ConfigurationError as error:
            delay = self._fail(State.HALTED, error)
        except BaseException as error:  # noqa: BLE001 - whatever a plugin raises, events stay
            delay = self._fail(State.RETRYING, error)
        finally:
            # told before: closing may hang
            if connection is None:
                self._narrowing.interrupted()
            else:
                self._close(connection)
        if delay is not None:
            self._wait(delay)

    def _close(self, connection: Any) -> None:
        try:
            self._calls.close(connection)
        except LeftBehind:
            raise
        except BaseException as error:  # noqa: BLE001 - a bad goodbye hides nothing
            logger.warning("%s: closing the connection failed: %s", self._name, self._say(error))

    def _deliver(self, connection: Any) -> None:
        if self._report.state is State.CONNECTING or not self._queue.counts().pending:
            self._succeed()
        while not self._is_abandoned and not self._is_done():
            is_pending = self._queue.wait_for_event(_LOOK_SECONDS)
            self._report.keep_up()
            if is_pending:
                events = self._narrowing.next_batch(self._queue, BATCH_BYTES)
                if events:
                    self._publish(connection, events)

    def _publish(self, connection: Any, events: Sequence[Event]) -> None:
        try:
            # a list of its own: what a plugin does to it is no matter of ours
            self._calls.publish(connection, list(events))
        except RejectedEvents as rejected:
            self._settle_rejected(rejected, events)
            if rejected.reconnect:
                raise BrokerUnavailable(f"a new connection is needed: {rejected}") from rejected
        except PartlyPublished as partly:
            self._settle_some(partly, events)
        except (PublishError, ConfigurationError, OSError) as error:
            self._narrowing.interrupted()
            self._settle(getattr(error, "confirmed", ()), events)
            raise
        except BaseException as error:
            unforeseen = Unforeseen(error)
            if self._narrowing.failed(events, self._say(unforeseen)):
                self._outage.moved()  # a smaller batch is another attempt: no reason to wait longer
            raise unforeseen from error
        else:
            self._settle_all(events)

    def _settle_all(self, events: Sequence[Event]) -> None:
        condemned = self._narrowing.confirmed()
        self._remember_places()
        # before settling: whoever waits for the last event finds the condition up to date
        self._report.confirmed(len(events))
        self._succeed()
        self._queue.settle([event.id for event in events])
        if condemned is not None:
            event = condemned.event
            self._bury({event.id: condemned.reason}, [event], condemned.attempts)

    def _settle(self, confirmed: Collection[object], events: Sequence[Event]) -> int:
        """Settle what of a batch was confirmed; return how many events that are."""
        ids = [event.id for event in events if event.id in confirmed]
        if not ids:
            return 0
        self._remember_places()
        self._report.confirmed(len(ids))
        settled = self._queue.settle(ids)
        if settled:
            self._outage.moved()
        return settled

    def _settle_some(self, partly: PartlyPublished, events: Sequence[Event]) -> None:
        if not self._settle(partly.confirmed, events):
            raise BrokerUnavailable(f"nothing was confirmed: {partly}") from partly
        self._narrowing.answered()
        self._succeed()

    def _settle_rejected(self, rejected: RejectedEvents, events: Sequence[Event]) -> None:
        confirmed = self._settle(rejected.confirmed, events)
        left = [event for event in events if event.id not in rejected.confirmed]
        reasons = rejected.reasons
        if not reasons and len(left) == 1:
            reasons = {left[0].id: str(rejected)}
        elif not reasons and left:
            # nobody knows which event it is: smaller batches will tell
            self._narrowing.halve(left)
            self._succeed()
            return
        if not confirmed and not any(event.id in reasons for event in events):
            raise BrokerUnavailable(
                f"the plugin '{self._name}' rejects events that are not in the batch; its hook "
                "'publish' must name them by their ids"
            )
        self._narrowing.answered()
        self._bury(reasons, left, attempts=1)
        self._succeed()

    def _bury(self, reasons: Mapping[Any, object], events: Sequence[Event], attempts: int) -> None:
        now = time.time()
        letters = [
            DeadLetter(event, mask(str(reasons[event.id]), self._secrets), now, attempts)
            for event in events
            if event.id in reasons
        ]
        for letter in self._queue.bury(letters):
            dead_letters_logger.error(
                "%s: event %s is a dead letter: %s", self._name, letter.event.id, letter.reason
            )

    def _remember_places(self) -> None:
        if not self._used <= self._known:
            self._queue.remember_places(self._used)
            self._known = frozenset(self._used)

    def _succeed(self) -> None:
        if self._report.state is State.CONNECTED:
            return
        if self._outage.is_on:
            waiting = self._queue.counts().pending
            self._outage.recovered("recovered", f" with {waiting} events waiting")
        else:
            logger.info("%s: connected", self._name)
        self._report.note(State.CONNECTED)

    def _fail(self, state: State, error: BaseException) -> float:
        """Say that an attempt has failed, and return the seconds until the next one."""
        sentence = self._say(error)
        suspect = self._narrowing.suspect_id
        if suspect is not None:
            sentence = f"event {suspect} fails alone: {sentence}"
        delay = self._delay(state, getattr(error, "retry_after", None))
        # where a person must mend something, another mistake is news, too
        kind = (state, sentence if state is State.HALTED else "")
        level = logging.ERROR if state is State.HALTED else logging.WARNING
        told = f"{state.value}: {sentence}; next attempt in {delay:.1f} s"
        if self._outage.failed(kind, told, level):
            logger.debug("%s: the cause: %s", self._name, Frames(error))
        self._report.note(state, sentence, delay)
        return delay

    def _delay(self, state: State, asked: object) -> float:
        delays = self._delays
        first = delays.first_halted if state is State.HALTED else delays.first
        if self._is_hurried:
            return retry_delay(first, self._outage.failures, min(delays.longest, delays.hurried))
        delay = retry_delay(first, self._outage.failures, delays.longest)
        if not isinstance(asked, (int, float)):
            return delay
        return max(delay, min(asked, delays.longest_asked))  # in this order NaN is nothing

    def _tell_of_death(self, error: BaseException) -> None:
        sentence = f"the thread that delivers has died of {type(error).__name__}; another goes on"
        logger.error("%s: %s", self._name, sentence)
        self._report.note(State.RETRYING, sentence)

    def _wait(self, delay: float) -> None:
        # whoever hurries or abandons says so first and then rings: nothing is missed here
        self._due.wait_for(lambda: self._is_due or self._is_abandoned, delay)
        self._is_due = False

    def _say(self, error: BaseException) -> str:
        known = isinstance(error, EventBrokersError)
        line = first_line(error) if known else name_and_first_line(error)
        return mask(line, self._secrets)[:_LONGEST_SENTENCE]
