"""Ctrl-C and SIGTERM, noted at once and acted on where nothing is half done."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(Exception):
    """A signal asked the program to end."""


def _do_nothing() -> None:
    """Have nothing that is to be closed."""


class StopSignals:
    """Notes the signals while it is entered; needs the main thread.

    An exception in the middle of `publish` could leave an event counted by half, so there is one
    only inside `interruptible`.

    Attributes:
        received: the number of the latest signal; None without one.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._may_raise = False
        self._close: Callable[[], None] = _do_nothing
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> StopSignals:
        for number in _SIGNALS:
            # who started us with nohup or in the background wants them ignored
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def interruptible(self, close: Callable[[], None] = _do_nothing) -> Iterator[None]:
        """Let a signal raise Stopped, also one that was noted just before.

        Parameters:
            close: ends what runs meanwhile; called first, for Python drops an exception that
                strikes in a destructor, or where a weak reference calls back.
        """
        self._may_raise, self._close = True, close
        try:
            if self.received is not None:
                raise Stopped
            yield
        finally:
            self._may_raise, self._close = False, _do_nothing

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._close()
        if self._may_raise:
            raise Stopped
