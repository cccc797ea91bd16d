"""The queue that keeps events in a folder on disk."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from event_brokers import fork
from event_brokers.buffer import Condition, Counts, DeadLetter
from event_brokers.errors import BrokerClosed, ConfigurationError, QueueFull, SpoolError
from event_brokers.event import Event
from event_brokers.spool import rows, salvage
from event_brokers.spool.ballast import Ballast
from event_brokers.spool.database import DATA, Damaged, Database, DiskFull, reason
from event_brokers.spool.delivery_right import DeliveryRight
from event_brokers.spool.group_commit import GroupCommit, Request

logger = logging.getLogger("event_brokers")

POLL_SECONDS = 0.05  # for what other processes change
TAKEOVER_SECONDS = 0.5
_SHRINK_BYTES = 16 * 1024 * 1024  # free room in the file that is worth giving back
_SHRINK_PAGES = 2048  # at a time: everybody waits meanwhile

_Result = TypeVar("_Result")


class Spool:
    """A queue on disk that any number of processes append to, and one delivers from.

    Parameters:
        folder: holds the file and its locks; made where it is missing, for its owner alone.
        durability: "power" or "process": what a commit outlives.
        max_pending: events that may wait; None for no limit.
        max_bytes: bytes of the file that may be used.

    Raises:
        ConfigurationError: the folder cannot be used.
    """

    def __init__(
        self, folder: Path, durability: str, max_pending: int | None, max_bytes: int
    ) -> None:
        self._folder = folder
        self._max_pending = max_pending
        self._max_bytes = max_bytes
        self._database = Database(folder / DATA / "events.db", durability)
        self._right = DeliveryRight(folder / "delivery.lock")
        self._ballast = Ballast(folder / "ballast")
        self._appending = GroupCommit(self._commit)
        self._confirmed: dict[str, None] = {}  # delivered, and not yet taken out of the file
        self._changed = threading.Condition()
        self._changes = 0
        self._is_closed = self._is_woken = False
        try:
            _make(folder)
            self._repaired(self._begin)
        except SpoolError as error:
            raise ConfigurationError(f"event_broker.delivery.spool: {error}") from error
        fork.watch(self)

    def append(self, events: Sequence[Event], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while True:
            if self._is_closed:
                raise BrokerClosed("the broker is closed and takes no more events")
            seen = self._changes
            try:
                self._appending.store(events)
            except QueueFull:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise
                self._wait_for_change(seen, min(left, POLL_SECONDS))
            else:
                self._notify()
                return

    def close(self) -> None:
        self._is_closed = True
        self._notify()

    def release(self) -> None:
        self._right.release()

    def dispose(self) -> None:
        self._database.close()

    def acquire(self) -> bool:
        seen = self._changes
        if self._right.acquire():
            return True
        self._wait_for_change(seen, TAKEOVER_SECONDS)
        return False

    def note(self, condition: Condition) -> None:
        if self._right.is_held():
            self._right.note(condition)

    def condition(self) -> Condition | None:
        return self._right.condition()

    def peek(self, limit: int, size: int) -> list[Event]:
        self._take_out_confirmed()
        return self._read(lambda connection: rows.oldest(connection, limit, size))

    def settle(self, ids: Collection[str]) -> None:
        # what the disk has no room to note now is noted here, and not sent again meanwhile
        self._confirmed.update(dict.fromkeys(ids))
        self._take_out_confirmed()

    def bury(self, letters: Sequence[DeadLetter]) -> None:
        self._let_go(lambda connection: rows.bury(connection, letters))

    def dead_letters(self) -> list[DeadLetter]:
        return self._read(lambda connection: list(rows.dead_letters(connection)))

    def counts(self) -> Counts:
        totals, since = self._read(
            lambda connection: (rows.totals(connection), rows.oldest_time(connection))
        )
        return Counts(
            accepted=totals.pending + totals.dead_letters + totals.delivered,
            delivered=totals.delivered,
            pending=totals.pending,
            dead_letters=totals.dead_letters,
            # the clock of the calendar, for the process that accepted it may be gone
            oldest_pending_seconds=None if since is None else max(0.0, time.time() - since),
        )

    def wait_for_event(self, timeout: float | None) -> bool:
        self._wait_until(lambda: self._is_woken or self._ends() is not None, timeout)
        self._is_woken = False
        return self._ends() is not None

    def wait_until_left(self, timeout: float | None) -> bool:
        ends = self._ends()
        return ends is None or self._wait_until(lambda: self._is_left(ends[1]), timeout)

    def wake(self) -> None:
        self._is_woken = True
        self._notify()

    def retry(self, ids: Sequence[str]) -> int:
        """Put dead letters back at the end of the pending events; return how many there were.

        Parameters:
            ids: their event ids.
        """
        return self._changed_by(lambda connection: rows.revive(connection, ids))

    def drop(self, ids: Sequence[str]) -> int:
        """Forget dead letters and pending events; return how many there were.

        Parameters:
            ids: their event ids.
        """
        return self._changed_by(lambda connection: rows.drop(connection, ids))

    def find(self, event_id: str) -> Event | DeadLetter | None:
        """Return a pending event or a dead letter; None where the id is unknown."""
        return self._read(lambda connection: rows.find(connection, event_id))

    def bytes_on_disk(self) -> int:
        """Return the size of the file and of its log."""
        return self._database.bytes_on_disk()

    @contextmanager
    def contents(self) -> Iterator[tuple[Iterator[Event], Iterator[DeadLetter]]]:
        """Read the pending events in order, and the dead letters, as they are at one moment."""
        with self._database.reading() as connection:
            yield rows.pending_events(connection), rows.dead_letters(connection)

    def has_deliverer(self) -> bool:
        """Return whether a process is there that delivers."""
        if not self._right.acquire():
            return True
        self._right.release()
        return False

    def before_fork(self) -> None:
        """Let every change end, and close what must not be copied."""
        self._database.turn.acquire()
        self._database.disconnect()

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._database.turn.release()

    def after_fork_in_child(self) -> None:
        """Let go of what a fork has copied; another Spool is made in the child."""
        self._right.forget()
        self._database.forget()

    def _begin(self) -> None:
        salvage.finish_interrupted(self._database)
        with self._database.transaction():
            pass  # opens the file, and makes the tables
        self._ballast.fill()

    def _commit(self, requests: Sequence[Request]) -> None:
        self._repaired(lambda: self._insert(requests))

    def _insert(self, requests: Sequence[Request]) -> None:
        with self._database.transaction() as connection:
            if not self._ballast.fill():
                raise DiskFull(f"'{self._folder}': the disk is full")
            for request in requests:
                request.error = self._refusal(connection, request.events)
                if request.error is None:
                    rows.insert(connection, request.events)

    def _refusal(self, connection: Any, events: Sequence[Event]) -> QueueFull | None:
        """Return why there is no room; events that are known already need none."""
        pending = rows.totals(connection).pending
        if self._max_pending is not None and pending + len(events) > self._max_pending:
            new = len({event.id for event in events})
            new -= rows.known(connection, {event.id for event in events})
            if new and pending + new > self._max_pending:
                return QueueFull(
                    f"{pending} events wait and delivery.max_pending is {self._max_pending}"
                )
        more = sum(len(event.body) for event in events)
        if self._database.bytes_on_disk() + more <= self._max_bytes:
            return None  # cheaper to tell than how much of it is used
        used = rows.used_bytes(connection)
        if used + more <= self._max_bytes:
            return None
        return QueueFull(
            f"{used} bytes of the spool are used and delivery.max_bytes is {self._max_bytes}"
        )

    def _take_out_confirmed(self) -> None:
        if not self._confirmed:
            return
        ids = list(self._confirmed)
        self._let_go(lambda connection: rows.remove(connection, ids))
        self._confirmed.clear()

    def _let_go(self, change: Callable[[Any], int]) -> None:
        """Make a change that frees room, also where it needs some first."""
        try:
            self._changed_by(change)
        except DiskFull:
            # nobody else gets the room: appending needs the ballast, and waits for us
            with self._database.exclusive():
                if not self._ballast.drop():
                    raise
                self._changed_by(change)
                self._database.checkpoint()
                self._shrink(above=0)
                self._ballast.fill()
        else:
            self._shrink(above=_SHRINK_BYTES)

    def _changed_by(self, change: Callable[[Any], int]) -> int:
        def make_change() -> int:
            with self._database.transaction() as connection:
                return change(connection)

        changed = self._repaired(make_change)
        self._notify()
        return changed

    def _shrink(self, above: int) -> None:
        """Give room back to the disk, where so many bytes of the file and most of it are free."""
        while (free := self._read(rows.free_bytes)) > above:
            pending, used = self._read(lambda c: (rows.totals(c).pending, rows.used_bytes(c)))
            if pending and used > free:
                return
            self._changed_by(lambda connection: rows.shrink(connection, _SHRINK_PAGES))
            if not pending:
                self._database.checkpoint()

    def _repaired(self, work: Callable[[], _Result]) -> _Result:
        """Return what the work returns, once more after a salvage where the file is damaged."""
        try:
            return work()
        except Damaged as damage:
            salvage.replace(self._database, damage)
        try:
            return work()
        except Damaged as damage:
            raise SpoolError(f"'{self._folder}': {damage}") from damage

    def _read(self, look: Callable[[Any], _Result]) -> _Result:
        def read() -> _Result:
            with self._database.reading() as connection:
                return look(connection)

        return self._repaired(read)

    def _ends(self) -> tuple[int, int] | None:
        return self._read(rows.ends)

    def _is_left(self, last: int) -> bool:
        ends = self._ends()
        return ends is None or ends[0] > last

    def _wait_until(self, is_true: Callable[[], bool], timeout: float | None) -> bool:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            seen = self._changes
            if is_true():
                return True
            left = POLL_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            self._wait_for_change(seen, min(left, POLL_SECONDS))

    def _wait_for_change(self, seen: int, timeout: float) -> None:
        """Wait until this process has changed something, or the time is over."""
        with self._changed:
            self._changed.wait_for(lambda: self._changes != seen, timeout)

    def _notify(self) -> None:
        with self._changed:
            self._changes += 1
            self._changed.notify_all()


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / DATA).mkdir(mode=0o700, exist_ok=True)
    except FileExistsError as error:
        raise SpoolError(f"'{folder}' is a file; name a folder") from error
    except OSError as error:
        raise SpoolError(f"'{folder}': {reason(error)}") from error
