"""How long delivery waits: between attempts, and for a hook that does not return."""

from __future__ import annotations

import random

import msgspec

_random = random.Random()  # the application may have seeded the common one


class Delays(msgspec.Struct, frozen=True):
    """Seconds that delivery and consumers wait.

    Attributes:
        first: after the first failure, before jitter; doubled at each one that follows.
        first_halted: the same where a person must mend something.
        longest: the cap.
        longest_asked: the cap where the broker asks for a time.
        hurried: the cap while the program waits for its end.
        hanging_call: that a hook may take to connect or to publish before somebody is told.
        hanging_close: that it may take to close before it is left behind.
    """

    first: float = 0.1
    first_halted: float = 1.0
    longest: float = 30.0
    longest_asked: float = 300.0
    hurried: float = 1.0
    hanging_call: float = 30.0
    hanging_close: float = 10.0


def retry_delay(first: float, failures: int, longest: float) -> float:
    """Return the seconds until the next attempt: exponential, with jitter, capped.

    Parameters:
        first: seconds after the first failure, before jitter.
        failures: attempts that have failed before this one.
        longest: the cap, in seconds.
    """
    return min(longest, first * 2.0 ** min(failures, 16)) * _random.uniform(0.5, 1.0)
