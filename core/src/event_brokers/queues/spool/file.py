"""The spool's file as its callers see it: changed on one thread, read on another one.

Callers' threads can be interrupted at any line. So they ask, and wait for the answer; what they ask
for is done whether they still wait or not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from event_brokers.errors import ConfigurationError, QueueFull, SpoolError
from event_brokers.queues.spool.arrival_signal import PIPE, ArrivalSignal
from event_brokers.queues.spool.database import COMMIT_LOCK, DATABASE, Damaged, Database, size_of
from event_brokers.queues.spool.glance import Glance
from event_brokers.queues.spool.lock_holder import process_holding
from event_brokers.queues.spool.reading import NotReady, Reader, Snapshot
from event_brokers.queues.spool.request import Inbox, Request
from event_brokers.queues.spool.storing import Store
from event_brokers.queues.spool.worker import Worker, is_worker

PATIENCE_SECONDS = 5.0  # with another process that holds the lock
_FORK_SECONDS = 1.0
_LOOK_SECONDS = 1.0  # between two looks whether the thread that was asked is still there
_TRIES = 3
_PIECE = 500  # rows that are read at a time
_OWN_ERRORS = (QueueFull, ConfigurationError, NotReady, Damaged)  # of one request alone

_Found = TypeVar("_Found")


class NoThread(SpoolError):
    """The interpreter ends, and starts no more threads."""


class SpoolFile:
    """Does what callers ask for, and tells them how it went.

    Parameters:
        folder: of the spool.
        durability: "power" or "process": what a commit outlives.

    Attributes:
        database: what the work of a change may look at, on its thread.
    """

    def __init__(self, folder: Path, durability: str) -> None:
        self._folder = folder
        self.database = Database(folder / DATABASE, durability)
        self._reader = Reader(self.database.path)
        self._signal = ArrivalSignal(folder / PIPE)
        self._start()

    def change(self, request: Request[_Found], patience: float = 0.0) -> _Found:
        """Let a request change the file, and return its result.

        Parameters:
            request: its work is given the connection, in a transaction.
            patience: seconds to wait for it to begin, where they are more than PATIENCE_SECONDS.

        Raises:
            SpoolError: nothing was changed, or nobody knows.
            QueueFull: as the work has raised it.
            ConfigurationError: as the work has raised it.
        """
        return self._ask(self._storing, request, max(patience, PATIENCE_SECONDS))

    def leave(self, request: Request[Any]) -> None:
        """Let a request change the file later, without waiting for it."""
        self._storing.put(request)

    def read(self, look: Callable[[Any], _Found]) -> _Found:
        """Return what is found in the file as it is at one moment.

        Parameters:
            look: is given a connection.

        Raises:
            SpoolError: it cannot be read.
        """
        return self._look(lambda reader: reader.read(look))

    def snapshot(self) -> Snapshot:
        """Return the file as it is now, to be read piece by piece.

        Raises:
            SpoolError: it cannot be read.
        """
        return self._look(lambda reader: reader.snapshot())

    def pieces(self, snapshot: Snapshot, rows: Iterator[_Found]) -> Iterator[_Found]:
        """Read all the rows.

        Raises:
            SpoolError: they cannot be read.
        """
        try:
            while piece := self._ask_to_read(lambda _: snapshot.take(rows, _PIECE)):
                yield from piece
        except Damaged as damage:
            self._store.suspect(damage)
            raise SpoolError(f"'{self._folder}': {damage}; try again, it is repaired") from damage

    def let_go(self, snapshot: Snapshot) -> None:
        """End the moment that a snapshot shows."""
        self._ask_to_read(lambda _: snapshot.close())

    def glance(self) -> Glance:
        """Return what tells whether the file may have changed."""
        return Glance(self.database.log)

    def tell_others(self) -> None:
        """Let another process that delivers look; called on the thread that stores."""
        self._signal.send()

    def hear_of_others(self, hear: Callable[[], None]) -> bool:
        """Have something called whenever another process has stored events.

        Parameters:
            hear: called on a thread of its own; must not wait.

        Returns:
            Whether it will be; where not, the caller has to look.
        """
        return self._signal.listen(hear)

    def bytes_on_disk(self) -> int:
        """Return the size of the file and of its log."""
        return size_of(self.database.path) + self.database.log_size()

    def close(self) -> None:
        """Let go of files and threads, within a few seconds; the next use opens them again."""
        self._signal.stop_listening()
        # the connection that is closed last tidies up, and the one that reads cannot
        self._reading.end(PATIENCE_SECONDS)
        self._storing.end(PATIENCE_SECONDS)

    def before_fork(self) -> None:
        """Let what is being done end, and close what must not be copied."""
        deadline = time.monotonic() + _FORK_SECONDS
        for worker in (self._storing, self._reading):
            worker.pause()
        for worker in (self._storing, self._reading):
            worker.wait_until_paused(max(0.0, deadline - time.monotonic()))

    def after_fork_in_parent(self) -> None:
        """Go on."""
        self._storing.go_on()
        self._reading.go_on()

    def after_fork_in_child(self) -> None:
        """Let go of what the fork has copied, and begin anew."""
        self._store.forget()
        self._reader.forget()
        self._signal.forget()
        self._start()

    def _start(self) -> None:
        self._store = Store(self.database)
        self._storing = Worker("event-brokers-spool", self._store.serve, self._stop_storing)
        self._reading = Worker("event-brokers-spool-look", self._serve_reading, self._reader.close)

    def _stop_storing(self) -> None:
        self._signal.stop_sending()
        self._store.close()

    def _serve_reading(self, inbox: Inbox) -> None:
        for request in inbox.claim():
            try:
                request.carry_out(self._reader)
            except Exception as error:  # noqa: BLE001 - its caller is told
                request.error = error
        inbox.answer()

    def _look(self, call: Callable[[Reader], _Found]) -> _Found:
        if is_worker():
            return self._look_here(call)
        damage: Exception = NotReady()
        for _ in range(_TRIES):
            try:
                return self._ask_to_read(call)
            except NoThread:
                return self._look_here(call)  # the program ends, and nobody strikes any more
            except NotReady as not_ready:
                damage = not_ready
            except Damaged as damaged:
                damage = damaged
                self._store.suspect(damaged)
            self.change(Request(lambda _connection: None))
        raise SpoolError(f"'{self._folder}': {damage}") from damage

    def _look_here(self, call: Callable[[Reader], _Found]) -> _Found:
        with closing(Reader(self.database.path)) as reader:
            return call(reader)

    def _ask_to_read(self, call: Callable[[Reader], _Found]) -> _Found:
        return self._ask(self._reading, Request(call), PATIENCE_SECONDS)

    def _ask(self, worker: Worker, request: Request[_Found], patience: float) -> _Found:
        try:
            worker.put(request)
        except RuntimeError as error:
            request.claim()
            raise NoThread(f"'{self._folder}': no thread can be started any more") from error
        if not request.wait(patience):
            if request.claim():
                raise SpoolError(f"'{self._folder}': {self._what_is_in_the_way(worker)}")
            self._wait_for_answer(worker, request)
        failure = request.error
        if failure is None or isinstance(failure, _OWN_ERRORS):
            return request.result()
        # not the error itself: others may be told the same, on their threads
        raise SpoolError(self._say(failure)) from failure

    def _say(self, failure: BaseException) -> str:
        if isinstance(failure, SpoolError):
            return str(failure)
        return f"'{self._folder}': failed: {type(failure).__name__}"

    def _wait_for_answer(self, worker: Worker, request: Request[Any]) -> None:
        while not request.wait(_LOOK_SECONDS):
            if worker not in (self._storing, self._reading):
                # a signal handler of this thread has forked, and here the child goes on
                raise SpoolError(f"'{self._folder}': the process was forked meanwhile")

    def _what_is_in_the_way(self, worker: Worker) -> str:
        locked = (self._folder / COMMIT_LOCK, self.database.path.with_name("events.db-shm"))
        process = next(filter(None, map(process_holding, locked)), None)
        if process is not None:
            return f"process {process} holds its lock and does not go on"
        if worker is self._storing and not self.database.lock.is_held:
            return "another process holds its lock and does not go on"
        return "its disk does not answer"
