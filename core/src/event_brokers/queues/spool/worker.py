"""A thread of the spool's own, on which all is done that must not be interrupted."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from event_brokers.bell import Bell
from event_brokers.log import logger
from event_brokers.queues.spool.request import Inbox, Request
from event_brokers.wording import name_and_first_line

_LONGEST_PAUSE_SECONDS = 2.0  # for a fork that was interrupted and never said that it is over
_here = threading.local()


def is_worker() -> bool:
    """Return whether the caller is on such a thread, of whatever spool: it must not wait there.

    Nor on the one that starts it: a destructor, which the collector may run there, would wait for
    what that has yet to start.
    """
    return getattr(_here, "is_worker", False)


def never_wait_here() -> None:
    """Have the calling thread count as such a one, for it is another thread of the spool's own."""
    _here.is_worker = True


class Worker:
    """Serves requests, one after the other, on a daemon thread that starts with the first.

    Parameters:
        name: of the thread.
        serve: claims and answers what waits in an inbox; what it raises is the answer to all.
        let_go: releases files; called on the thread when it ends, and before a fork.
    """

    def __init__(
        self, name: str, serve: Callable[[Inbox], None], let_go: Callable[[], None]
    ) -> None:
        self._name = name
        self._serve = serve
        self._let_go = let_go
        self._inbox = Inbox()
        self._baton = _thread.allocate_lock()  # held by the one thread that serves
        self._is_running = self._is_ending = False
        self._pause: _Pause | None = None
        self._over = Bell()

    def put(self, request: Request[Any]) -> None:
        """Let the thread do something.

        Raises:
            RuntimeError: no thread can be started any more.
        """
        self._inbox.put(request)
        # looked at after the request is there: a thread that ends looks for it after it says so
        if not self._is_running:
            _thread.start_new_thread(self._start, ())

    def end(self, timeout: float) -> None:
        """Let the thread end once nothing waits; one that starts later ends by itself.

        Parameters:
            timeout: seconds to wait for it.
        """
        self._is_ending = True
        self._inbox.ring()
        if not is_worker():
            self._over.wait_for(lambda: not self._is_running, timeout)

    def pause(self) -> None:
        """Let the thread let go of its files after what it does now, and wait for `go_on`."""
        self._pause = _Pause()
        self._inbox.must_pause = True
        self._inbox.ring()

    def wait_until_paused(self, timeout: float) -> None:
        """Wait until the thread touches nothing that a fork must not copy.

        Parameters:
            timeout: seconds.
        """
        pause = self._pause
        if pause is not None and self._is_running and not is_worker():
            pause.begun.acquire(timeout=timeout)

    def go_on(self) -> None:
        """End the pause."""
        pause, self._pause = self._pause, None
        self._inbox.must_pause = False
        if pause is not None:
            pause.end()

    def _start(self) -> None:
        # a thread of ours starts the one that serves, for `Thread.start` holds locks and waits,
        # which must not happen on a thread that can be interrupted
        _here.is_worker = True
        try:
            threading.Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            self._run()

    def _run(self) -> None:
        _here.is_worker = True
        while self._baton.acquire(blocking=False):
            try:
                self._is_running = True
                self._serve_until_the_end()
            finally:
                self._is_running = False
                if self._pause is not None:
                    self._pause.begin()  # a thread that has ended is as good as one that waits
                self._baton.release()
                self._over.ring()
            if self._inbox.is_empty():
                return

    def _serve_until_the_end(self) -> None:
        while True:
            try:
                if self._pause is not None:
                    self._wait_for_fork(self._pause)
                if self._inbox.waiting:
                    self._serve(self._inbox)
                elif self._is_ending and self._inbox.is_empty():
                    break
                else:
                    self._inbox.wait()
            except BaseException as error:  # noqa: BLE001 - whatever it is, others wait
                self._inbox.fail(error)
        self._release_files()

    def _wait_for_fork(self, pause: _Pause) -> None:
        self._release_files()
        pause.begin()
        pause.over.acquire(timeout=_LONGEST_PAUSE_SECONDS)
        if self._pause is pause:
            self.go_on()

    def _release_files(self) -> None:
        try:
            self._let_go()
        except Exception as error:  # noqa: BLE001 - what was committed is safe all the same
            reason = name_and_first_line(error)
            logger.warning("%s: closing its files failed: %s", self._name, reason)


class _Pause:
    """Lasts from before a fork until after it."""

    def __init__(self) -> None:
        self.begun, self.over = _thread.allocate_lock(), _thread.allocate_lock()
        self.begun.acquire()
        self.over.acquire()

    def begin(self) -> None:
        """Let who forks go on."""
        with suppress(RuntimeError):  # it has begun already
            self.begun.release()

    def end(self) -> None:
        """Let the thread go on."""
        with suppress(RuntimeError):  # it is over already
            self.over.release()
