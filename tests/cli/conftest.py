"""What the tests of the command line share."""

from pathlib import Path

import pytest

from command import Commands


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return a folder of its own to run commands in."""
    return Commands(tmp_path)
