"""The wheels of every distribution, built once for all tests of this folder."""

from __future__ import annotations

import pytest

from wheels import Wheel, build_wheels


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Wheel]:
    """Distribution -> its wheel."""
    return build_wheels(tmp_path_factory.mktemp("wheels"))
