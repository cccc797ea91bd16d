"""Waiting for a condition with a deadline; no test sleeps for a fixed time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

_Found = TypeVar("_Found")

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
