"""How long to wait before the next attempt."""

from __future__ import annotations

import random

FIRST_RETRY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 30.0

_random = random.Random()  # the application may have seeded the common one


def delay(
    failures: int, first: float = FIRST_RETRY_SECONDS, longest: float = LONGEST_DELAY_SECONDS
) -> float:
    """Return the seconds until the next attempt: exponential, with jitter, capped.

    Parameters:
        failures: attempts that have failed before this one.
        first: seconds after the first failure, before jitter.
        longest: the cap, in seconds.
    """
    return min(longest, first * 2.0 ** min(failures, 16)) * _random.uniform(0.5, 1.0)
