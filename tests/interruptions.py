"""Strikes a call at any of its lines, as a signal handler may: with an exception or a call."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import event_brokers

_SOURCE = str(Path(event_brokers.__file__).parent)


class Struck(BaseException):
    """Raised where a call is struck."""


def count_lines(call: Callable[[], object]) -> int:
    """Return how many lines of the project a call runs through on this thread."""
    lines = 0

    def count() -> None:
        nonlocal lines
        lines += 1

    with _traced(count):
        call()
    return lines


@contextmanager
def struck_at(line: int, blow: Callable[[], object]) -> Iterator[None]:
    """Call something once, when so many lines of the project have run on this thread.

    Parameters:
        line: counted from 1.
        blow: called there; what it raises comes out of that line.
    """
    left = line

    def strike() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            blow()

    with _traced(strike):
        yield


@contextmanager
def _traced(at_line: Callable[[], None]) -> Iterator[None]:
    is_inside = False

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal is_inside
        if not frame.f_code.co_filename.startswith(_SOURCE):
            return None
        if event == "line" and not is_inside:
            is_inside = True
            try:
                at_line()
            finally:
                is_inside = False
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)
