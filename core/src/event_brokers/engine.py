"""One queue and its delivery, through forks and until the end of the program.

Its methods run on threads of the application, where a signal handler can strike at any line: it
may raise, or call any of them again. Each step is one that can be repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec

from event_brokers import fork, watcher
from event_brokers.condition import Condition, Progress, State
from event_brokers.delays import Delays
from event_brokers.delivery import Delivery
from event_brokers.delivery_options import MAX_PENDING
from event_brokers.errors import SpoolError, UndeliveredEvents
from event_brokers.event import Event
from event_brokers.living import Living
from event_brokers.log import logger
from event_brokers.look import NOBODY, Look, closed, folder_of, status_of
from event_brokers.measurements import Measured, SampledTimes
from event_brokers.queues.choice import queue_maker
from event_brokers.queues.protocol import DeadLetter, Queue
from event_brokers.settings import Settings
from event_brokers.status import Status

_ENDING_SECONDS = 0.5  # for a delivery that was told to end: to close its connection


class _Running(msgspec.Struct, frozen=True):
    """A queue and what delivers from it, in one process."""

    queue: Queue
    delivery: Delivery

    def must_not_wait(self) -> bool:
        """Return whether the caller, such as a destructor, is on a thread of these themselves."""
        return self.delivery.is_on_this_thread() or self.queue.is_on_own_thread()


class Engine:
    """Runs one queue and its delivery; in a forked child a new one, when it is first used.

    Parameters:
        settings: the plugin, its options and how events wait.
        delays: how long delivery waits.
        name: of the broker.
    """

    def __init__(self, settings: Settings, delays: Delays, name: str) -> None:
        self._settings = settings
        self._delays = delays
        self._folder = folder_of(settings)  # now: the program may change its own later
        self._begin_to_time()
        self._new_queue = queue_maker(settings)
        # a list, for which of two that start at the same time comes first is clear
        self._running: list[_Running] = []
        self._at_end: list[Status] = []
        fork.watch(self)
        self._use()
        self._name = ENGINES.add(self, name)  # as long as it is open: a number stays whose it is

    def append(self, events: Sequence[Event], timeout: float) -> None:
        """Accept all of the events or none; raises as `Queue.append` does."""
        if not self._is_next_timed():
            self._use().queue.append(events, timeout)
            return
        began = time.perf_counter()
        self._use().queue.append(events, timeout)
        self._publish_times.add(time.perf_counter() - began)

    def flush(
        self, timeout: float | None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> Status:
        """Wait until every event accepted so far has left, and return the status.

        Parameters:
            timeout: seconds; None waits for ever.
            is_cancelled: asked four times a second; ends the waiting.
        """
        if self._at_end:
            return self._at_end[0]  # nobody delivers any more
        running = self._use()
        running.queue.wake()
        running.queue.wait_until_left(0.0 if running.must_not_wait() else timeout, is_cancelled)
        return self.status()

    def close(self, timeout: float) -> Status:
        """Accept no more events, deliver those that wait, and release everything.

        Parameters:
            timeout: seconds to wait for delivery.

        Raises:
            UndeliveredEvents: events were left in memory.
        """
        if self._at_end:
            return self._at_end[0]
        if not self._running:
            return self._end_unused()
        running = self._running[0]
        queue, delivery = running.queue, running.delivery
        queue.seal()
        delivery.finish()
        if running.must_not_wait():
            return self.status()  # delivery ends by itself when this call has returned
        if not delivery.wait_until_over(timeout):
            delivery.abandon()
            delivery.wait_until_over(_ENDING_SECONDS)
        return self._end(queue)

    def status(self) -> Status:
        """Return where the events are, at one moment."""
        if self._at_end:
            return self._at_end[0]
        running = self._use()
        return self._status(running)

    def look(self) -> Look | None:
        """Return what can be seen of it; None where it is closed, or unused in a forked child."""
        if self._at_end or not self._running:
            return None
        running = self._running[0]
        if running.delivery.wait_until_over(0.0):
            return None  # closed on a thread of its own, which could not wait for the end
        try:
            status, size = self._status(running), running.queue.size()
        except SpoolError:
            status, size = None, 0
        return Look(
            type=self._settings.plugin.type,
            name=self._name,
            spool=self._folder,
            status=status,
            size=size,
            measured=self._measured(running),
        )

    @contextmanager
    def queue(self) -> Iterator[Queue]:
        """Hand out where its events wait; one that is closed lets go of its files afterwards."""
        queue = self._use().queue
        try:
            yield queue
        finally:
            if self._at_end:
                queue.close()

    def dead_letters(self) -> list[DeadLetter]:
        """Return the dead letters, oldest first."""
        with self.queue() as queue:
            return queue.dead_letters()

    @property
    def settings(self) -> Settings:
        """What it was made of."""
        return self._settings

    def look_after(self) -> None:
        """Mend a delivery that hangs or has died."""
        self._publish_times.count()
        for running in self._running:
            running.delivery.look_after()

    @property
    def exit_timeout(self) -> float:
        """Seconds that the end of the program waits for delivery."""
        return self._settings.delivery.exit_timeout

    def drain_at_exit(self, deadline: float) -> None:
        """Deliver what waits until the deadline, on the clock of `time.monotonic`."""
        for running in self._running:
            running.delivery.hurry()
            running.queue.wait_until_left(max(0.0, deadline - time.monotonic()))

    def close_at_exit(self, deadline: float) -> None:
        """Close until the deadline, on the clock of `time.monotonic`, and log what is lost."""
        try:
            self.close(max(0.0, deadline - time.monotonic()))
        except UndeliveredEvents as undelivered:
            logger.error("%s: the program ended: %s", self._settings.plugin.type, undelivered)

    def before_fork(self) -> None:
        """End what must not be copied half done."""
        for running in self._running:
            running.delivery.before_fork()
            running.queue.before_fork()

    def after_fork_in_parent(self) -> None:
        """Go on; the parent has all it had."""
        for running in self._running:
            running.queue.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        """Begin anew, with nothing in memory, when the child first uses this broker."""
        fork.watch(self)
        for running in self._running:
            running.queue.after_fork_in_child()
        if not self._at_end:
            self._running = []
        self._begin_to_time()

    def _begin_to_time(self) -> None:
        self._publish_times = SampledTimes()
        self._is_next_timed = self._publish_times.is_next_timed  # asked at each call: no detour

    def _use(self) -> _Running:
        """Return what runs, with a thread that delivers; start it where nothing runs yet."""
        if not self._running:
            running = self._make()
            if self._running[0] is not running:
                running.queue.close()  # another thread, or a signal handler on this one, was first
        first = self._running[0]
        if not self._at_end and first.delivery.ensure_running():
            watcher.watch(self)
        return first

    def _make(self) -> _Running:
        with fork.held_off():
            queue = self._new_queue()
            running = _Running(queue, Delivery(queue, self._settings, self._delays))
            self._running.append(running)
        return running

    def _end(self, queue: Queue) -> Status:
        queue.shut()
        ended = closed(self.status())
        watcher.forget(self)
        ENGINES.forget(self)
        self._at_end.append(ended)
        queue.close()
        # of several that close at the same time, the first tells what is lost
        if self._at_end[0] is ended and ended.pending and self._settings.delivery.spool is None:
            raise UndeliveredEvents(ended.pending, ended.last_error)
        return self._at_end[0]

    def _end_unused(self) -> Status:
        """Close in a forked child that never used what its parent has."""
        queue = self._make().queue
        queue.seal()
        counts = queue.counts()
        queue.close()
        self._at_end.append(status_of(counts, Condition(State.CLOSED)))
        return self._at_end[0]

    def _status(self, running: _Running) -> Status:
        counts = running.queue.counts()
        condition = running.queue.right.condition() or NOBODY
        last_error = self._last_error(counts.pending, condition, running.delivery)
        progress = _later(running.delivery.progress, condition.progress)
        return status_of(counts, condition, last_error, progress)

    def _measured(self, running: _Running) -> Measured:
        calls = running.delivery.calls
        return Measured(
            attempts=dict(calls.attempts),
            failures=dict(calls.failures),
            reconnects=max(0, calls.connections - 1),
            batches=calls.batches.distribution(),
            delivery_seconds=running.queue.waited.distribution(),
            publish_seconds=self._publish_times.distribution(),
        )

    def _last_error(self, pending: int, condition: Condition, delivery: Delivery) -> str | None:
        reasons = [delivery.trouble(), condition.last_error]
        most = _max_pending(self._settings)
        if most is not None and pending >= most:
            reasons.insert(0, f"the queue is full: {pending} events wait")
        return "; ".join(reason for reason in reasons if reason is not None) or None


ENGINES: Living[Engine] = Living()  # that are open in this process


def _later(own: Progress, told: Progress) -> Progress:
    """Return the later of what this process has seen confirmed, and what the one that delivers."""
    return told if told.is_later_than(own) else own


def _max_pending(settings: Settings) -> int | None:
    """Return how many events may wait; None for a spool that is bounded by its bytes alone."""
    if settings.delivery.spool is None:
        return settings.delivery.max_pending or MAX_PENDING
    return settings.delivery.max_pending
