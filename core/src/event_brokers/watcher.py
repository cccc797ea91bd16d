"""The thread that watches over every delivery, and delivers what waits when the program ends."""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from typing import Protocol

from event_brokers.log import logger

_LOOK_SECONDS = 1.0


class Watched(Protocol):
    """What is looked after once a second, and told that the program ends."""

    def look_after(self) -> None:
        """Mend what hangs or has died."""

    def drain_at_exit(self, deadline: float) -> None:
        """Deliver what waits.

        Parameters:
            deadline: when to give up, on the clock of `time.monotonic`.
        """

    def close_at_exit(self, deadline: float) -> None:
        """Deliver what still waits, then close, and report what is lost.

        Parameters:
            deadline: when to give up, on the clock of `time.monotonic`.
        """

    @property
    def exit_timeout(self) -> float:
        """Seconds that the end of the program waits for delivery."""


# every change of these is one call into C: whoever makes it may be interrupted at any line
_watched: dict[int, Watched] = {}
_baton: deque[None] = deque([None])  # whoever takes it out watches
_ended_at: float | None = None


def watch(watched: Watched) -> None:
    """Remember something that is to be looked after until the program ends."""
    _watched[id(watched)] = watched
    if _baton:
        # not a daemon: while it lives, the interpreter still lets plugins start threads,
        # which reconnecting needs, and which Python 3.12 forbids in functions of atexit
        threading.Thread(target=_watch, name="event-brokers-exit").start()
    stay_first()


def forget(watched: Watched) -> None:
    """Forget something that was closed."""
    _watched.pop(id(watched), None)


def stay_first() -> None:
    """Move our exit function before those that client libraries have registered meanwhile."""
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def _watch() -> None:
    while _takes_baton():
        try:
            _look_until_the_end()
        finally:
            _baton.append(None)
        if not _watched or not threading.main_thread().is_alive():
            return


def _takes_baton() -> bool:
    try:
        _baton.pop()
    except IndexError:
        return False
    return True


def _look_until_the_end() -> None:
    """Look after all there is, while there is something and the program has not ended."""
    main = threading.main_thread()
    while main.is_alive():
        main.join(timeout=_LOOK_SECONDS)
        if not _watched:
            return
        for watched in _still_open():
            _look_after(watched)
    for watched in _still_open():
        watched.drain_at_exit(_deadline(watched))


def _look_after(watched: Watched) -> None:
    try:
        watched.look_after()
    except Exception as error:  # noqa: BLE001 - the others are looked after all the same
        logger.error("looking after a broker failed: %s", type(error).__name__)


def _close_all() -> None:
    for watched in _still_open():
        watched.close_at_exit(_deadline(watched))


def _deadline(watched: Watched) -> float:
    global _ended_at
    if _ended_at is None:
        _ended_at = time.monotonic()
    return _ended_at + watched.exit_timeout


def _still_open() -> list[Watched]:
    return list(_watched.values())


def _begin_anew() -> None:
    """Forget what the parent watches: its thread does not exist in a child."""
    global _baton, _ended_at
    _watched.clear()
    _baton, _ended_at = deque([None]), None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
