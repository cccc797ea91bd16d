"""Lets threads that append at the same time share one commit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from event_brokers.errors import SpoolError
from event_brokers.event import Event


class Request:
    """Events that a thread wants stored.

    Attributes:
        error: why they were not; set by whoever commits.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.error: Exception | None = None
        self.is_done = False
        self.woken = threading.Event()  # when it is done, or when it is to lead


class GroupCommit:
    """One thread leads: it commits for all that came while another committed.

    Parameters:
        commit: stores the events of some requests in one transaction. May set the `error` of a
            request that it refuses; when it raises, nothing of any of them was stored.
    """

    def __init__(self, commit: Callable[[Sequence[Request]], None]) -> None:
        self._commit = commit
        self._lock = threading.Lock()
        self._waiting: list[Request] = []
        self._has_leader = False

    def store(self, events: Sequence[Event]) -> None:
        """Return when the events are stored.

        Raises:
            SpoolError: the commit failed.
            Exception: what `commit` has set as this request's error.
        """
        request = Request(events)
        try:
            if not self._is_first(request):
                request.woken.wait()
            if not request.is_done:
                self._lead()
        except BaseException:
            self._withdraw(request)
            raise
        if request.error is not None:
            raise request.error

    def _is_first(self, request: Request) -> bool:
        with self._lock:
            self._waiting.append(request)
            is_first, self._has_leader = not self._has_leader, True
            return is_first

    def _lead(self) -> None:
        requests: list[Request] = []
        try:
            with self._lock:
                requests, self._waiting = self._waiting, []
            self._commit(requests)
        except BaseException as error:
            for request in requests:
                request.error = _unknown(error, request.events)
            if not isinstance(error, SpoolError):
                raise
        finally:
            for request in requests:
                request.is_done = True
            with self._lock:
                self._pass_on()
            for request in requests:
                request.woken.set()

    def _withdraw(self, request: Request) -> None:
        """Wait no longer, as after Ctrl-C; whoever was to lead lets the next one."""
        with self._lock:
            if request not in self._waiting:
                return
            self._waiting.remove(request)
            if request.woken.is_set():
                self._pass_on()

    def _pass_on(self) -> None:
        self._has_leader = bool(self._waiting)
        if self._waiting:
            self._waiting[0].woken.set()


def _unknown(error: BaseException, events: Sequence[Event]) -> SpoolError:
    text = str(error) if isinstance(error, SpoolError) else "interrupted"
    failed = SpoolError(text, [event.id for event in events])
    failed.__cause__ = error
    return failed
