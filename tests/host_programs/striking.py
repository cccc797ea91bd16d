"""Strikes the calling thread at one line of what it runs, as a signal would at any moment."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import event_brokers

_OURS = str(Path(event_brokers.__file__).parent)
# of the standard library, what holds locks and waits in Python, where a signal can strike
_STANDARD = frozenset(module.__file__ for module in (contextlib, queue, threading))


class Strike:
    """Calls something on this thread before one line is run: the how manieth is given.

    Lines count within event_brokers, and within the modules of the standard library that wait and
    hold locks. What is called runs without being counted itself, and may raise.

    Parameters:
        line: 1 is the first.
        call: what is called there.

    Attributes:
        where: the lines that were being run, innermost first; empty while it has not struck.
    """

    def __init__(self, line: int, call: Callable[[], None]) -> None:
        self.where: list[str] = []
        self._left = line
        self._call = call

    def __enter__(self) -> Strike:
        sys.settrace(self._enter_frame)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sys.settrace(None)

    def _enter_frame(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002 - settrace
        return self._count if _is_counted(frame) else None

    def _count(self, frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG002 - settrace
        if event == "line" and not self.where:
            self._left -= 1
            if self._left == 0:
                self.where = lines_of(frame)
                self._call()
        return self._count


def _is_counted(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    return file in _STANDARD or file.startswith(_OURS)


def lines_of(frame: FrameType | None) -> list[str]:
    """Return which of the lines that count are being run, innermost first, as far as they reach.

    Parameters:
        frame: the innermost.
    """
    lines = []
    while frame is not None and _is_counted(frame):
        name = Path(frame.f_code.co_filename).name
        lines.append(f"{name}:{frame.f_lineno} {frame.f_code.co_name}")
        frame = frame.f_back
    return lines
