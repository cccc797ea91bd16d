"""Somebody who may not look into what the tests have made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

_NOBODY = 65534


@contextmanager
def as_another_user() -> Iterator[None]:
    """Be somebody else meanwhile, as only root can; without root the test is skipped."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
