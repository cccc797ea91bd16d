"""What a caller wants done on another thread, and how the two come to an understanding.

Both look at it at any moment, and either may be interrupted: so it is claimed, and answered, with
one call into C each, and nothing is ever held meanwhile.
"""

from __future__ import annotations

import _thread
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar, cast

_PIECE_SECONDS = 1.0
_STOPPED_SECONDS = 1.0  # a wait that lasts so much too long: the process was stopped

_Result = TypeVar("_Result")


class Request(Generic[_Result]):
    """Work for another thread.

    Parameters:
        work: called there.
        told: called there once its outcome is known.
    """

    __slots__ = ("_answered", "_claim", "_result", "_work", "error", "told")

    def __init__(
        self, work: Callable[..., _Result], told: Callable[[], None] | None = None
    ) -> None:
        self._work = work
        self.told = told
        self.error: BaseException | None = None
        self._result: _Result | None = None
        self._claim = _thread.allocate_lock()
        self._answered = _thread.allocate_lock()
        self._answered.acquire()

    def claim(self) -> bool:
        """Return whether nobody was faster: who begins it, or the caller who withdraws it."""
        return self._claim.acquire(blocking=False)

    def carry_out(self, *arguments: Any) -> None:
        """Do the work; may be repeated where nothing came of it."""
        self.error = None
        self._result = self._work(*arguments)

    def answer(self) -> None:
        """Let the caller go on, for which there is a result or an error."""
        self._answered.release()

    def wait(self, seconds: float) -> bool:
        """Return whether it is answered within so many seconds.

        A piece of them in which this process was stopped itself does not count: nobody else could
        go on, as far as it can tell.
        """
        left = seconds
        while True:
            piece, began = min(left, _PIECE_SECONDS), time.monotonic()
            if self._answered.acquire(timeout=piece):
                return True
            if time.monotonic() - began < piece + _STOPPED_SECONDS:
                left -= piece
            if left <= 0:
                return False

    def result(self) -> _Result:
        """Return what the work has returned, or raise what it, or the commit, has raised."""
        if self.error is not None:
            raise self.error
        return cast(_Result, self._result)


class Inbox:
    """The requests that wait for a thread.

    Attributes:
        waiting: those that have arrived, and are not begun; the thread's own.
        must_pause: whether the thread is asked to wait for a fork.
    """

    def __init__(self) -> None:
        self._arrived: SimpleQueue[Request[Any] | None] = SimpleQueue()  # its `put` is reentrant
        self.waiting: list[Request[Any]] = []
        self._begun: list[Request[Any]] = []
        self.must_pause = False

    def put(self, request: Request[Any]) -> None:
        """Add a request; called on any thread, at any moment."""
        self._arrived.put(request)

    def ring(self) -> None:
        """Let the thread look what is new, though no request is."""
        self._arrived.put(None)

    def is_empty(self) -> bool:
        """Return whether nothing waits, and nobody has rung."""
        return self._arrived.empty() and not self.waiting

    def wait(self) -> None:
        """Wait until something is put in; called on the thread, as all the methods below are."""
        self._keep(self._arrived.get())

    def is_awaited(self) -> bool:
        """Return whether somebody waits for the thread."""
        self._collect()
        return self.must_pause or bool(self.waiting)

    def claim(self) -> list[Request[Any]]:
        """Begin what waits, but for what was withdrawn, and return all that is not answered."""
        if not self._begun:
            self._collect()
            waiting, self.waiting = self.waiting, []
            self._begun = [request for request in waiting if request.claim()]
        return self._begun

    def answer(self) -> None:
        """Answer all that was begun."""
        begun, self._begun = self._begun, []
        for request in begun:
            request.answer()
        for request in begun:
            if request.told is not None and request.error is None:
                request.told()

    def fail(self, error: BaseException) -> None:
        """Answer all that was begun, or waits, with an error."""
        for request in self.claim():
            request.error = error
        self.answer()

    def _collect(self) -> None:
        while not self._arrived.empty():
            self._keep(self._arrived.get())

    def _keep(self, request: Request[Any] | None) -> None:
        if request is not None:
            self.waiting.append(request)
