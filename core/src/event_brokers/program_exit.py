"""Delivers what waits when the program ends, also where `close` was forgotten."""

from __future__ import annotations

import atexit
import threading
import time
from typing import Protocol


class Drainable(Protocol):
    """What is told that the program ends."""

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


_lock = threading.Lock()
_open: set[Drainable] = set()
_watcher: threading.Thread | None = None
_ended_at: float | None = None


def watch(drainable: Drainable) -> None:
    """Remember something that is to be drained when the program ends."""
    global _watcher
    with _lock:
        _open.add(drainable)
        if _watcher is None:
            # not a daemon: while it lives, the interpreter still lets plugins start threads,
            # which reconnecting needs, and which Python 3.12 forbids in functions of atexit
            _watcher = threading.Thread(target=_watch, name="event-brokers-exit")
            _watcher.start()
    stay_first()


def forget(drainable: Drainable) -> None:
    """Forget something that was closed."""
    with _lock:
        _open.discard(drainable)


def stay_first() -> None:
    """Move our exit function before those that client libraries have registered meanwhile."""
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def _watch() -> None:
    global _watcher
    main = threading.main_thread()
    while main.is_alive():
        main.join(timeout=1.0)
        with _lock:
            if not _open:
                _watcher = None
                return
    _drain_all()


def _drain_all() -> None:
    for drainable in _still_open():
        drainable.drain_at_exit(_deadline(drainable))


def _close_all() -> None:
    for drainable in _still_open():
        drainable.close_at_exit(_deadline(drainable))


def _deadline(drainable: Drainable) -> float:
    global _ended_at
    if _ended_at is None:
        _ended_at = time.monotonic()
    return _ended_at + drainable.exit_timeout


def _still_open() -> list[Drainable]:
    with _lock:
        return list(_open)
