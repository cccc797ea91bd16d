"""Lets threads wait for a change, each on a lock of its own.

A `threading.Condition` shares its lock among all who wait: one that a signal handler interrupts,
or enters once more, would keep it from all the others.
"""

from __future__ import annotations

import _thread
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Bell:
    """Wakes whoever waits for a change; safe to use from signal handlers and destructors."""

    def __init__(self) -> None:
        self._gates: deque[_thread.LockType] = deque()

    def ring(self) -> None:
        """Let everybody who waits now look again."""
        with suppress(IndexError):
            while self._gates:  # asked first, for mostly nobody waits
                self._gates.popleft().release()

    def wait_for(
        self, is_true: Callable[[], object], timeout: float | None, pause: float | None = None
    ) -> bool:
        """Wait until something is true; return whether it is.

        Parameters:
            is_true: asked again whenever the bell rings; must not wait.
            timeout: seconds; None waits for ever.
            pause: seconds after which it is asked at the latest; None asks only at a ring.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            gate = _thread.allocate_lock()
            gate.acquire()
            self._gates.append(gate)
            # looked at only now: what changes afterwards rings
            if is_true():
                self._leave(gate)
                return True
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                self._leave(gate)
                return False
            if not gate.acquire(timeout=_shortest(left, pause)):
                self._leave(gate)

    def _leave(self, gate: _thread.LockType) -> None:
        with suppress(ValueError):
            self._gates.remove(gate)


def _shortest(left: float | None, pause: float | None) -> float:
    waits = [seconds for seconds in (left, pause) if seconds is not None]
    return min(*waits, _thread.TIMEOUT_MAX) if waits else -1
