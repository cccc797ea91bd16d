"""How long input is made up: one round in the ordinary run, `--fuzz SECONDS` a test otherwise."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest


class Fuzz:
    """Checks a property with one round of examples after the other, as long as there is time.

    Parameters:
        seconds: after which no further round begins; the first one is always made.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __call__(self, check: Callable[[], None]) -> None:
        """Check a property.

        Parameters:
            check: a function under Hypothesis's `given`; each call makes up other examples.
        """
        end = time.monotonic() + self._seconds
        check()
        while time.monotonic() < end:
            check()


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Fuzz:
    """Return what checks a property for as long as this run wants."""
    return Fuzz(request.config.getoption("--fuzz"))
