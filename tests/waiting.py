"""Waiting for a condition or a line with a deadline; no test sleeps for a fixed time."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")
LINE_SECONDS = 60.0

POLL_SECONDS = 0.01


def wait_until(condition: Callable[[], _Found], timeout: float = 20.0) -> _Found:
    """Return the first truthy result of a condition.

    Parameters:
        condition: called again and again.
        timeout: seconds after which the test fails.
    """
    deadline = time.monotonic() + timeout
    pause = threading.Event()
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s: {condition}"
        pause.wait(POLL_SECONDS)
    return found


def next_line(process: subprocess.Popen[str]) -> str:
    """Return the next line that a process prints, without its end; kill it where none comes.

    Parameters:
        process: whose standard output is a pipe.
    """
    assert process.stdout is not None
    late = threading.Timer(LINE_SECONDS, process.kill)
    late.start()
    try:
        line = process.stdout.readline()
    finally:
        late.cancel()
    assert line.endswith("\n"), f"no line within {LINE_SECONDS} s: {line!r}"
    return line[:-1]
