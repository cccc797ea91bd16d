"""Hands what an application emits over to a broker: what is not taken is counted, never raised."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping
from types import FrameType
from typing import Any

from event_brokers.broker import EventBroker
from event_brokers.errors import EventBrokersError
from event_brokers.log import logger
from event_brokers.signal_handlers import is_from_signal_handler

_OUR_THREADS = "event-brokers-"
_OUR_PACKAGES = ("event_brokers.", "event_brokers_")
# a signal handler may emit something while something is handed over; what is emitted deeper than
# that is emitted because of it, and would never end
_MOST_NESTED = 2
_MOST_REMARKS = 100  # of different ones, which may name what an application has made up


class HandOver:
    """Publishes to a broker, and never fails whoever emits; needs no lock, in any thread or child.

    Parameters:
        broker: takes the events; whoever made it closes it.
        what: is handed over, in the plural and for log lines: "spans".
    """

    def __init__(self, broker: EventBroker, what: str) -> None:
        self._broker = broker
        self._what = what
        # by process, for a child knows its parent's, and by thread, each of which counts alone
        self._lost: dict[tuple[int, int], int] = {}
        self._remarks: dict[tuple[int, str], object] = {}

    @property
    def lost(self) -> int:
        """How many were not taken, in this process."""
        process = os.getpid()
        return sum(lost for (where, _), lost in list(self._lost.items()) if where == process)

    def publish(self, event: Mapping[str, Any]) -> None:
        """Publish an event, durably where the broker has a spool; waits for no room and no broker.

        Parameters:
            event: as `EventBroker.publish` takes it.
        """
        try:
            self._broker.publish(event)
        except Exception as error:
            if is_from_signal_handler(error):
                raise  # it is the application's own, such as a time limit
            self.lose(error)

    def lose(self, error: Exception) -> None:
        """Count one that cannot be handed over, and log the first of each kind.

        Parameters:
            error: what was in the way.
        """
        place = os.getpid(), threading.get_ident()
        self._lost[place] = self._lost.get(place, 0) + 1
        # the text of another error may hold an event
        known = isinstance(error, EventBrokersError)
        reason = f"{type(error).__name__}: {error}" if known else type(error).__name__
        self._remark(type(error).__name__, f"not taken, and lost; more are counted alone: {reason}")

    def remark(self, sentence: str) -> None:
        """Log something about what is handed over, once.

        Parameters:
            sentence: holds nothing of any event.
        """
        self._remark(sentence, sentence)

    def _remark(self, kind: str, sentence: str) -> None:
        mine = object()
        if len(self._remarks) < _MOST_REMARKS and (
            self._remarks.setdefault((os.getpid(), kind), mine) is mine
        ):
            logger.warning("%s: %s", self._what, sentence)


def is_own_work(scope: str, emitter: Any) -> bool:
    """Return whether something is emitted because events are handed over, or delivered.

    To hand that over, too, would never end: delivering it emits the next one.

    Parameters:
        scope: who emits it: the name of a logger, or of an instrumentation scope.
        emitter: the function that hands over; it must be on the stack, and counts itself there.
    """
    return (
        scope == "event_brokers"
        or scope.startswith(_OUR_PACKAGES)
        or threading.current_thread().name.startswith(_OUR_THREADS)
        or _times_on_stack(emitter) > _MOST_NESTED
    )


def _times_on_stack(function: Any) -> int:
    # counted anew each time: a signal handler that raises would leave a count of ours wrong
    code, count = function.__code__, 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        count += frame.f_code is code
        frame = frame.f_back
    return count
