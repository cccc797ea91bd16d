"""Keeps a look from outside apart from this process's own opening of the same file.

SQLite keeps one index of the log for all connections of a process. A look opens it for reading
alone, and whoever opened the file to write meanwhile would share that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PATIENCE_SECONDS = 2.0
_one_at_a_time = threading.RLock()  # a signal handler may look while a look is under way


@contextmanager
def alone() -> Iterator[None]:
    """Let no other thread of the process open a spool's file meanwhile.

    Nobody waits for ever: a signal handler that publishes may stand above a look.
    """
    mine = _one_at_a_time
    is_mine = mine.acquire(timeout=_PATIENCE_SECONDS)
    try:
        yield
    finally:
        if is_mine:
            mine.release()


def _in_child() -> None:
    global _one_at_a_time
    _one_at_a_time = threading.RLock()  # whoever held it does not exist there


os.register_at_fork(after_in_child=_in_child)
