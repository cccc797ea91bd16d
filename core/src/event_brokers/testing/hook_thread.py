"""Calls hooks as the core does, on a thread that is not the main one, each with a deadline."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, TypeVar

_Result = TypeVar("_Result")


_RAISED_BY_HOOK = "__raised_by_a_hook__"


class DoesNotReturn(Exception):
    """A hook has not returned in time; its thread is left behind."""


class HookThread:
    """One thread, on which the hooks of one connection are called.

    A client such as SQLite's may be used on the thread alone that opened it.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="conformance-hooks", daemon=True)
        self._thread.start()
        self.is_stuck = False

    def call(self, function: Callable[[], _Result], seconds: float) -> _Result:
        """Return what a function returns, or raise what it raises.

        Parameters:
            function: that calls a hook.
            seconds: that it may take.

        Raises:
            DoesNotReturn: it took longer.
        """
        called: Future[_Result] = Future()
        self._calls.put((called, function))
        try:
            called.exception(seconds)
        except NotInTime:
            self.is_stuck = True
            raise DoesNotReturn(f"has not returned for {seconds:g} s") from None
        return called.result()

    def end(self) -> None:
        """End the thread, unless a hook keeps it."""
        self._calls.put(None)
        if not self.is_stuck:
            self._thread.join()

    def _run(self) -> None:
        while (call := self._calls.get()) is not None:
            called, function = call
            try:
                called.set_result(function())
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                with suppress(AttributeError):  # a class without room for it
                    setattr(error, _RAISED_BY_HOOK, True)
                called.set_exception(error)


def is_raised_by_hook(error: BaseException) -> bool:
    """Return whether it was a hook that raised, not what the author has answered."""
    return isinstance(error, DoesNotReturn) or getattr(error, _RAISED_BY_HOOK, False) is True
