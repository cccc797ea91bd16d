"""What every test can use: the real servers, each started on first use, and how to read them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from command import Commands

pytest_plugins = ["servers.fixtures", "servers.backends", "faults.report", "metric_samples"]

# a machine that is busy with servers is slow, and slowness is no fault of what is tested
settings.register_profile(
    "behaviour", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("behaviour")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what `nox -s faults`, `nox -s fuzz` and `nox -s page` ask for."""
    parser.addoption(
        "--faults", action="store_true", help="provoke every fault at full length, not a few"
    )
    parser.addoption(
        "--fuzz", type=float, default=0, metavar="SECONDS",
        help="go on with each test of tests/fuzz for so long; one round without it",
    )  # fmt: skip
    parser.addoption(
        "--whole-page", action="store_true",
        help="let 100,000 events pass the live page, not some, and take its picture for docs/",
    )  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _apart_from_other_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what a run of pytest inside a test leaves from the runs inside others' tests.

    Two that end at once would both tidy up one folder, and stumble over what the other removes.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DEBUG_TEMPROOT", str(tmp_path_factory.mktemp("runs")))
        yield


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    """Return a folder of its own to run commands in."""
    return Commands(tmp_path)
