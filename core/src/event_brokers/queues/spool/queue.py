"""The queue that keeps events in a folder on disk."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from event_brokers.bell import Bell
from event_brokers.errors import BrokerClosed, ConfigurationError, QueueFull, SpoolError
from event_brokers.event import Event
from event_brokers.measurements import DELIVERY_SECONDS, Histogram
from event_brokers.queues.protocol import Counts, DeadLetter
from event_brokers.queues.spool import room, tables
from event_brokers.queues.spool.file import PATIENCE_SECONDS, SpoolFile
from event_brokers.queues.spool.own_files import make_folder
from event_brokers.queues.spool.owner import Ownership
from event_brokers.queues.spool.request import Request
from event_brokers.queues.spool.right import LOCK, SpoolRight
from event_brokers.queues.spool.storing import Departure
from event_brokers.queues.spool.worker import is_worker

POLL_SECONDS = 0.05  # for what other processes change
TAKEOVER_SECONDS = 0.5
# from a batch that took all there was until the next one: what comes meanwhile leaves with one
# commit, in place of one for each event that competes with those of who publishes
GATHERING_SECONDS = 0.01


class Spool:
    """A queue on disk that any number of processes append to, and one delivers from.

    Parameters:
        folder: holds the file and its locks; made where it is missing, for its owner alone.
        durability: "power" or "process": what a commit outlives.
        max_pending: events that may wait; None for no limit.
        max_bytes: bytes of the file that may be used, but for dead letters.
        max_dead_letter_bytes: bytes that dead letters may take.
        owner: where its events go, a phrase such as "type kafka, topic events"; None neither looks
            whose it is nor changes that.

    Raises:
        ConfigurationError: the folder cannot be used, or its events are being delivered elsewhere.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - one for each option, as a queue is made
        self,
        folder: Path,
        durability: str,
        max_pending: int | None,
        max_bytes: int,
        max_dead_letter_bytes: int,
        owner: str | None,
    ) -> None:
        self._bounds = room.Bounds(max_pending, max_bytes, max_dead_letter_bytes)
        lock = folder / LOCK
        self._ownership = Ownership(folder, owner, lock)
        self.right = SpoolRight(lock, self._check_owner, self._wait_for_right)
        self.waited = Histogram(DELIVERY_SECONDS)
        self._file = SpoolFile(folder, durability)
        self._arrived, self._left = Bell(), Bell()
        self._is_sealed = self._is_woken = False
        self._latest_counts = Counts(0, 0, 0, 0, None)
        self._unwaited: Request[None] | None = None  # the latest whose caller could not wait
        self._confirmed: dict[str, None] = {}  # delivered, and not yet taken out of the file
        self._numbers: dict[str, int] = {}  # of the events of the latest batch
        self._times: dict[str, float] = {}  # when they were accepted, seconds since 1970
        self._places: frozenset[str] = frozenset()
        self._next_batch_at = 0.0  # on the clock of `time.monotonic`
        try:
            make_folder(folder)
            self._file.change(Departure(self._ownership.claim))
        except SpoolError as error:
            self._file.close()
            raise ConfigurationError(f"event_broker.delivery.spool: {error}") from error
        except ConfigurationError:
            self._file.close()
            raise

    def append(self, events: Sequence[Event], timeout: float) -> None:
        refusals: list[QueueFull] = []
        if self._takes(events, timeout, refusals):
            return
        takes = partial(self._takes, events, timeout, refusals)
        if timeout <= 0 or not self._left.wait_for(takes, timeout, POLL_SECONDS):
            raise refusals[-1]

    def seal(self) -> None:
        self._is_sealed = True
        self._left.ring()

    def shut(self) -> bool:
        return True  # what still comes in waits for the next program

    def counts(self) -> Counts:
        if is_worker():
            return self._latest_counts  # the thread may hold the file: looking would wait for it
        self._latest_counts = self._file.read(tables.counts)
        return self._latest_counts

    def dead_letters(self) -> list[DeadLetter]:
        return self._file.read(lambda connection: list(tables.dead_letters(connection)))

    def wait_until_left(
        self, timeout: float | None, is_cancelled: Callable[[], bool] = lambda: False
    ) -> bool:
        if is_worker():
            return False
        self._wait_for_unwaited(PATIENCE_SECONDS if timeout is None else timeout)
        last = self._file.read(tables.last_number)
        if last is None:
            return True
        has_left, glance = False, self._file.glance()

        def is_over() -> bool:
            nonlocal has_left
            if glance.shows_change():
                first = self._file.read(tables.first_number)
                has_left = first is None or first > last
            return has_left or is_cancelled()

        self._left.wait_for(is_over, timeout, POLL_SECONDS)
        return has_left

    def is_on_own_thread(self) -> bool:
        return is_worker()

    def close(self) -> None:
        self._file.close()

    def wait_for_event(self, timeout: float | None) -> bool:
        if (early := self._next_batch_at - time.monotonic()) > 0:
            time.sleep(early)
        is_pending, glance = False, self._file.glance()

        def is_over() -> bool:
            nonlocal is_pending
            if glance.shows_change():
                is_pending = self._file.read(tables.first_number) is not None
            return is_pending or self._is_woken

        is_told = self._file.hear_of_others(self._arrived.ring)
        self._arrived.wait_for(is_over, timeout, None if is_told else POLL_SECONDS)
        self._is_woken = False
        return is_pending

    def wake(self) -> None:
        self._is_woken = True
        self._arrived.ring()

    def peek(self, limit: int, size: int) -> list[Event]:
        self._take_out_confirmed()
        found = self._file.read(lambda connection: tables.oldest(connection, limit, size))
        has_taken_all = 0 < len(found) < limit
        self._next_batch_at = time.monotonic() + GATHERING_SECONDS if has_taken_all else 0.0
        self._numbers = {event.id: number for number, _, event in found}
        self._times = {event.id: accepted_at for _, accepted_at, event in found}
        return [event for _, _, event in found]

    def settle(self, ids: Collection[str]) -> int:
        times = [self._times.pop(id_) for id_ in ids if id_ in self._times]
        self.waited.add_ages(times, time.time())
        # what the disk has no room to note now is noted here, and not sent again meanwhile
        self._confirmed.update(dict.fromkeys(ids))
        return self._take_out_confirmed()

    def bury(self, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
        def bury(connection: sqlite3.Connection) -> list[DeadLetter]:
            room.refuse_excess_letters(connection, self._bounds, letters)
            return tables.bury(connection, letters)

        return self._file.change(Departure(bury, self._left.ring))

    def used_places(self) -> frozenset[str]:
        self._places = self._file.read(tables.places)
        return self._places

    def remember_places(self, places: Collection[str]) -> None:
        new = frozenset(places) - self._places
        if new:
            self._file.change(Departure(lambda connection: tables.add_places(connection, new)))
            self._places |= new

    def forget_places(self) -> None:
        """Forget the places, so that one which is missing now is no mistake."""
        self._file.change(Departure(tables.forget_places))
        self._places = frozenset()

    def retry(self, ids: Sequence[str]) -> int:
        """Put dead letters back at the end of the pending events; return how many there were.

        Parameters:
            ids: their event ids.
        """
        return self._file.change(
            Request(lambda connection: tables.revive(connection, ids), self._tell_of_arrival)
        )

    def drop(self, ids: Sequence[str]) -> int:
        """Forget dead letters and pending events; return how many there were.

        Parameters:
            ids: their event ids.
        """
        return self._file.change(
            Departure(lambda connection: tables.drop(connection, ids), self._left.ring)
        )

    def drop_dead_letters(self, ids: Sequence[str]) -> int:
        """Forget dead letters, but not those that wait again by now; return how many there were.

        Parameters:
            ids: their event ids.
        """
        return self._file.change(
            Departure(lambda connection: tables.drop_dead_letters(connection, ids))
        )

    def find(self, event_id: str) -> Event | DeadLetter | None:
        return self._file.read(lambda connection: tables.find(connection, event_id))

    def latest(self, limit: int) -> list[Event]:
        return self._file.read(lambda connection: tables.latest(connection, limit))

    def size(self) -> int:
        return self._file.bytes_on_disk()

    @contextmanager
    def contents(self) -> Iterator[tuple[Iterator[Event], Iterator[DeadLetter]]]:
        """Read the pending events in order, and the dead letters, as they are at one moment."""
        snapshot = self._file.snapshot()
        try:
            yield (
                self._file.pieces(snapshot, tables.pending_events(snapshot.connection)),
                self._file.pieces(snapshot, tables.dead_letters(snapshot.connection)),
            )
        finally:
            self._file.let_go(snapshot)

    def has_deliverer(self) -> bool:
        """Return whether a process is there that delivers."""
        return self.right.is_taken()

    def before_fork(self) -> None:
        self._file.before_fork()

    def after_fork_in_parent(self) -> None:
        self._file.after_fork_in_parent()

    def after_fork_in_child(self) -> None:
        self.right.forget()
        self._file.after_fork_in_child()

    def _takes(self, events: Sequence[Event], timeout: float, refusals: list[QueueFull]) -> bool:
        """Store the events; return whether there was room, and add why there was none."""
        if self._is_sealed:
            raise BrokerClosed("the broker is closed and takes no more events")
        request = Request(partial(self._insert, events), self._tell_of_arrival)
        if is_worker():
            self._file.leave(request)
            self._unwaited = request
            return True
        try:
            self._file.change(request, timeout)
        except QueueFull as refusal:
            refusals.append(refusal)
            return False
        except SpoolError as error:
            raise SpoolError(str(error), [event.id for event in events]) from error
        return True

    def _wait_for_unwaited(self, timeout: float) -> None:
        """Wait until what came from a thread of ours is stored: it is accepted, and counts."""
        unwaited, self._unwaited = self._unwaited, None
        if unwaited is not None:
            unwaited.wait(min(timeout, PATIENCE_SECONDS))

    def _tell_of_arrival(self) -> None:
        self._arrived.ring()
        if not self.right.is_held():
            self._file.tell_others()

    def _insert(self, events: Sequence[Event], connection: sqlite3.Connection) -> None:
        room.refuse_excess_events(connection, self._bounds, events, self._file.database)
        tables.insert(connection, events)

    def _take_out_confirmed(self) -> int:
        if not self._confirmed:
            return 0
        ids, numbers = list(self._confirmed), self._numbers
        settled = self._file.change(
            Departure(lambda connection: tables.settle(connection, ids, numbers), self._left.ring)
        )
        self._confirmed.clear()
        return settled

    def _check_owner(self) -> None:
        self._file.change(Departure(self._ownership.check))

    def _wait_for_right(self) -> None:
        self._arrived.wait_for(lambda: self._is_woken, TAKEOVER_SECONDS)
        self._is_woken = False
