"""How long a command waits for the broker: while events leave, for ever; then not much longer."""

from __future__ import annotations

import time

from event_brokers.cli.stop_signals import StopSignals
from event_brokers.condition import State
from event_brokers.status import Status

STEP_SECONDS = 0.2  # between two looks at the status and the signals
STOP_SECONDS = 5.0  # that a Ctrl-C leaves for delivery
_HALTED_SECONDS = 1.0  # a spool tells at first what the last process has found


class Patience:
    """Decides whether waiting makes sense.

    Parameters:
        timeout: seconds without one event that leaves.
        signals: after one of them there are only `STOP_SECONDS`.
    """

    def __init__(self, timeout: float, signals: StopSignals) -> None:
        self._timeout = timeout
        self._signals = signals
        self._left = -1
        self._moved = time.monotonic()
        self._halted: float | None = None
        self._stopped: float | None = None

    def is_over(self, status: Status) -> bool:
        """Return whether to give up.

        Parameters:
            status: where the events are now; ask again at least once a second.
        """
        now = time.monotonic()
        left = status.delivered + status.dead_letters
        if left != self._left:
            self._left, self._moved = left, now
        if status.state != State.HALTED.value:
            self._halted = None
        elif self._halted is None:
            self._halted = now
        if self._signals.received is not None and self._stopped is None:
            self._stopped = now
        return (
            now - self._moved >= self._timeout
            or _is_past(self._halted, _HALTED_SECONDS, now)
            or _is_past(self._stopped, STOP_SECONDS, now)
        )


def _is_past(since: float | None, seconds: float, now: float) -> bool:
    return since is not None and now - since >= seconds
