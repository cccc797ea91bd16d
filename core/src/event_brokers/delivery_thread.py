"""The thread on which delivery runs: there is one, whatever happens to it."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from event_brokers.bell import Bell
from event_brokers.plugin_calls import LeftBehind


class DeliveryThread:
    """Runs the work on a daemon thread, and on a new one where that has died or was left behind.

    Parameters:
        name: of the threads.
        work: returns when nothing is left to do, ever; raises `LeftBehind` on a thread that was
            left behind.
        tell: called with what has killed a thread.
    """

    def __init__(
        self, name: str, work: Callable[[], None], tell: Callable[[BaseException], None]
    ) -> None:
        self._name = name
        self._work = work
        self._tell = tell
        # whoever takes it out runs: starting two threads at the same time is harmless
        self._baton: deque[None] = deque([None])
        self._ident: int | None = None
        self._is_over = False
        self._over = Bell()
        self.left_behind = 0

    @property
    def ident(self) -> int | None:
        """Which thread delivers now; None where none does."""
        return self._ident

    def ensure_running(self) -> bool:
        """Start a thread where none runs and the work is not over; return whether it was so."""
        if self._is_over or not self._baton:
            return False
        threading.Thread(target=self._run, name=self._name, daemon=True).start()
        return True

    def is_mine(self) -> bool:
        """Return whether the caller is on the thread that delivers."""
        return self._ident == threading.get_ident()

    def leave_behind(self) -> None:
        """Let another thread go on; the one that hangs ends as soon as it can."""
        self.left_behind += 1
        self._ident = None
        self._baton.append(None)
        self.ensure_running()

    def wait_until_over(self, timeout: float | None) -> bool:
        """Wait until the work has ended; return whether it has.

        Parameters:
            timeout: seconds; None waits for ever.
        """
        return self._over.wait_for(lambda: self._is_over, timeout)

    def _run(self) -> None:
        try:
            self._baton.pop()
        except IndexError:
            return
        ident = self._ident = threading.get_ident()
        try:
            self._work()
            self._is_over = self._ident == ident
        except LeftBehind:
            return
        except BaseException as error:  # noqa: BLE001 - another thread goes on
            self._tell(error)
        finally:
            if self._ident == ident:
                self._ident = None
                self._baton.append(None)
            self._over.ring()
