"""Ids of events: UUIDv7 that sort in the order in which they were made."""

from __future__ import annotations

import itertools
import os
import time

_LOW_BITS = 48  # the last group of the text, which alone changes within a millisecond
_LOW = (1 << _LOW_BITS) - 1

_Beginning = tuple[int, int, str]  # milliseconds, the counter's high bits, and their text


class _TimeOrderedIds:
    """Makes UUIDv7 as in RFC 9562, section 6.2, without a lock: a signal handler may publish, too.

    The 74 bits behind the time begin at random and count up, so that ids of one process sort in
    the order in which they were made.
    """

    def __init__(self) -> None:
        # the highest of the 74 bits stays free, so that counting up has room
        self._counter = itertools.count(int.from_bytes(os.urandom(10), "big") >> 7)
        self._beginning: _Beginning = (-1, 0, "")  # one object: it changes as a whole

    def new(self) -> str:
        milliseconds, counter = time.time_ns() // 1_000_000, next(self._counter)
        latest, high, text = self._beginning
        # a clock that was set back must not bring back ids that are behind us
        if milliseconds > latest or counter >> _LOW_BITS != high:
            text = self._begin(max(milliseconds, latest), counter >> _LOW_BITS)
        # not an f-string, which takes twice as long here
        return text + "%012x" % (counter & _LOW)

    def _begin(self, milliseconds: int, high: int) -> str:
        """Return how ids begin at a time: all that is before the last group."""
        text = f"{milliseconds << 32 | 7 << 28 | high >> 14 << 16 | 2 << 14 | high & 0x3FFF:020x}"
        text = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:]}-"
        self._beginning = milliseconds, high, text
        return text


_ids = _TimeOrderedIds()


def new_id() -> str:
    """Return a new UUIDv7; later ids of one process sort behind earlier ones."""
    return _ids.new()


def _forget_ids_after_fork() -> None:
    global _ids
    _ids = _TimeOrderedIds()


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_forget_ids_after_fork)
