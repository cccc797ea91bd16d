"""What the tests of host programs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from host_programs.running import Programs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    """Return a folder of its own to run programs in."""
    return Programs(tmp_path)


@pytest.fixture
def is_whole(request: pytest.FixtureRequest) -> bool:
    """Return whether everything is to be tried, and not only a part of it."""
    return bool(request.config.getoption("--faults"))
