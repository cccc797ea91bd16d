"""Ids of events: UUIDv7 that sort in the order in which they were made."""

from __future__ import annotations

import itertools
import os
import time


class _TimeOrderedIds:
    """Makes UUIDv7 as in RFC 9562, section 6.2, without a lock: a signal handler may publish, too.

    The 74 bits behind the time begin at random and count up, so that ids of one process sort in
    the order in which they were made.
    """

    def __init__(self) -> None:
        self._milliseconds = 0
        # the highest of the 74 bits stays free, so that counting up has room
        self._counter = itertools.count(int.from_bytes(os.urandom(10), "big") >> 7)

    def new(self) -> str:
        # a clock that was set back must not bring back ids that are behind us
        milliseconds = max(self._milliseconds, time.time_ns() // 1_000_000)
        self._milliseconds = milliseconds
        counter = next(self._counter)
        high, low = counter >> 62, counter & ((1 << 62) - 1)
        text = f"{milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_ids = _TimeOrderedIds()


def new_id() -> str:
    """Return a new UUIDv7; later ids of one process sort behind earlier ones."""
    return _ids.new()


def _forget_ids_after_fork() -> None:
    global _ids
    _ids = _TimeOrderedIds()


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_forget_ids_after_fork)
