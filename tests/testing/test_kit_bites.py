"""The conformance kit bites: every broken plugin is failed, by the check meant for it.

And by no unrelated one: with --faults each runs through the whole kit, without it through the
checks that may find it alone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from event_brokers.testing.conformance import CHECKS
from testing import (  # noqa: F401 - each enters its own
    broken_connecting,
    broken_consuming,
    broken_publishing,
    broken_showing,
)
from testing.broken import BROKEN, IMPORTS, Broken
from testing.inner_run import InnerRun, run_kit

GOOD = {
    "an instance of a class": "testing.ledger:plugin",
    "a module": "testing.good_module",
    "a module with options as a dict": "testing.good_plugins",
    "a class": "testing.good_plugins:StaticLedger",
    "an object": "testing.good_plugins:an_object",
    "a client of asyncio": "testing.good_plugins:an_asyncio_client",
}
# what stores nothing that a client leaks, raises nothing where a leak is collected
LENIENT = ("-p", "no:unraisableexception", "-W", "ignore::ResourceWarning")


def source(entry_point: str, *lines: str) -> str:
    """Return a test module with the kit over one plugin for the ledger."""
    inside = "\n    ".join([f"entry_point = {entry_point!r}", *lines])
    return (
        "import pytest\nfrom testing.ledger_answers import LedgerConformance\n\n"
        f"class TestPlugin(LedgerConformance):\n    {inside}\n"
    )


def told(run: InnerRun) -> str:
    """Return what a run of the kit has to say, for who has to find out."""
    return "\n".join(f"{name}: {text[:400]}" for name, text in run.failed.items()) or run.output


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_failed_by_the_check_meant_for_it(
    name: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Each in one sentence, and no check about anything else has anything to say."""
    broken: Broken = BROKEN[name]
    may_fail = {*broken.found_by, *broken.also}
    assert may_fail <= set(CHECKS)
    chosen: tuple[str, ...] = ()
    if not pytestconfig.getoption("--faults"):
        chosen = ("-k", " or ".join((*broken.found_by, "no_check_is_left_out")))
    run = run_kit(tmp_path, source(broken.entry_point, *broken.lines), *LENIENT, *chosen)
    assert set(broken.found_by) <= set(run.failed), told(run)
    assert set(run.failed) <= may_fail, told(run)
    assert "test_no_check_is_left_out" in run.passed
    for check in broken.found_by:
        assert "says:" in run.failed[check], told(run)


@pytest.mark.parametrize("what", IMPORTS)
def test_a_plugin_that_does_too_much_at_its_import_is_failed(what: str, tmp_path: Path) -> None:
    """It slows down or disturbs every program that lists what is installed."""
    (tmp_path / "busy.py").write_text(
        f"{IMPORTS[what]}from testing.ledger import plugin\n", encoding="utf-8"
    )
    lines = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    run = run_kit(
        tmp_path, lines + source("busy:plugin"), "-k", "test_importing or hooks_are_sound"
    )
    assert set(run.failed) == {"test_importing_it_starts_nothing"}, told(run)


@pytest.mark.parametrize("style", GOOD)
def test_a_good_plugin_passes(style: str, tmp_path: Path) -> None:
    """In whatever style it is written, every check that applies to it."""
    run = run_kit(tmp_path, source(GOOD[style]))
    assert (run.code, run.failed) == (0, {}), told(run)
    reasons = {reason.partition(" without ")[2] for reason in run.skipped.values()}
    hooks = {"the hook 'options'", "the hook 'check'", "the hook 'consume'"}
    assert reasons <= {"an installed distribution", *hooks}
