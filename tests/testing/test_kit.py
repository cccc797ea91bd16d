"""The kit cannot be weakened unnoticed, says what it has not proven, and is idle where not used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from event_brokers.testing.conformance import CHECKS
from testing.inner_run import InnerRun, run_kit
from testing.test_kit_bites import source, told

IDS = "test_ids_arrive"
WHOLE = "test_no_check_is_left_out"
GOOD, WITHOUT_IDS = "testing.ledger:plugin", "testing.broken_publishing:the_IgnoresIds"


def run(folder: Path, entry_point: str, *lines: str, chosen: str = f"{IDS} or {WHOLE}") -> InnerRun:
    """Run some checks over a plugin, with lines of the author's in the class."""
    return run_kit(folder, source(entry_point, *lines), "-k", chosen)


@pytest.mark.parametrize(
    "line",
    [
        f"def {IDS}(self): pass",
        f"{IDS} = None",
        f"{IDS} = property(lambda self: None)",
        f"@pytest.mark.skip(reason='not now')\n    def {IDS}(self): pass",
        f"@pytest.mark.xfail\n    def {IDS}(self): pass",
        f"@pytest.mark.xfail(reason=' ')\n    def {IDS}(self): pass",
    ],
    ids=["overridden", "deleted", "replaced", "skipped", "xfail", "xfail without a reason"],
)
def test_a_check_that_is_left_out_runs_all_the_same_and_is_told(line: str, tmp_path: Path) -> None:
    """Whatever stands in its place, the kit's own check runs, and another one names it."""
    ended = run(tmp_path, WITHOUT_IDS, line)
    assert set(ended.failed) == {IDS, WHOLE}, told(ended)
    assert f"{IDS}: deleted or overridden" in ended.failed[WHOLE]


def test_the_check_of_the_checks_cannot_be_switched_off(tmp_path: Path) -> None:
    """Not even with a reason."""
    line = f"@pytest.mark.xfail(reason='who needs it')\n    def {WHOLE}(self): pass"
    ended = run(tmp_path, GOOD, line)
    assert set(ended.failed) == {WHOLE}, told(ended)


def test_a_check_that_a_base_class_of_the_author_leaves_out_is_told(tmp_path: Path) -> None:
    """Wherever in the tree of classes it happens."""
    text = source(GOOD).replace("(LedgerConformance)", "(Mine, LedgerConformance)")
    text = text.replace("class TestPlugin", f"class Mine:\n    {IDS} = None\n\nclass TestPlugin")
    ended = run_kit(tmp_path, text, "-k", f"{IDS} or {WHOLE}")
    assert set(ended.failed) == {WHOLE}, told(ended)
    assert IDS in ended.passed


def test_a_check_is_switched_off_by_xfail_with_a_reason(tmp_path: Path) -> None:
    """The reason stands at the end of the run."""
    line = f"@pytest.mark.xfail(reason='the queue has no ids')\n    def {IDS}(self): ..."
    ended = run(tmp_path, WITHOUT_IDS, line)
    assert (ended.code, ended.failed) == (0, {}), told(ended)
    assert "1 of 2 proven" in ended.output
    assert "switched off, the queue has no ids:" in ended.output


def test_a_check_that_is_switched_off_and_passes_is_told(tmp_path: Path) -> None:
    """It runs, whatever stands in the method: once the plugin is mended, it is switched on."""
    line = f"@pytest.mark.xfail(reason='the queue has no ids')\n    def {IDS}(self): assert False"
    ended = run(tmp_path, GOOD, line)
    assert set(ended.failed) == {IDS}, told(ended)
    assert "XPASS(strict)" in ended.failed[IDS]


def test_a_class_cannot_be_switched_off_as_a_whole(tmp_path: Path) -> None:
    """One mark over everything would prove nothing, and look like success."""
    text = source(GOOD).replace("class Test", "@pytest.mark.xfail(reason='later')\nclass Test")
    ended = run_kit(tmp_path, text)
    assert ended.code == pytest.ExitCode.USAGE_ERROR
    assert "TestPlugin: is marked as expected to fail; mark checks, one by one" in ended.output


def test_deadlines_longer_than_the_contracts_are_told(tmp_path: Path) -> None:
    """A plugin that needs more time than the core gives it does not hold the contract."""
    ended = run(tmp_path, GOOD, "close_seconds = 60.0")
    assert "close_seconds: is more than the 10 s of the contract" in ended.failed[WHOLE]


def test_what_is_not_answered_is_listed_as_not_proven(tmp_path: Path) -> None:
    """With what was lacking, and the promises that stay unproven for it."""
    text = (
        "from event_brokers.testing import Conformance\n\n"
        "class TestPlugin(Conformance):\n"
        "    type = 'ledger'\n    entry_point = 'testing.ledger:plugin'\n"
    )
    ended = run_kit(tmp_path, text, "-k", f"killed or password or {WHOLE}")
    assert ended.failed == {}, told(ended)
    lines = ended.output.splitlines()
    assert "test_inner.py::TestPlugin (type 'ledger'): 1 of 8 proven" in lines
    lacking = lines.index("  without break_server and mend_server:")
    assert (
        "    After kill -9 and a start, delivery goes on through a new connection"
        in lines[lacking:]
    )
    assert "  without with_password:" in lines


def test_a_plugin_that_cannot_be_loaded_fails_one_check(tmp_path: Path) -> None:
    """The others wait for it, and say so."""
    ended = run(tmp_path, "no_such_module", chosen="hooks_are_sound or test_ids")
    assert set(ended.failed) == {"test_the_hooks_are_sound"}
    assert "No module named 'no_such_module'" in ended.failed["test_the_hooks_are_sound"]
    assert "without hooks that can be used" in ended.skipped[IDS]


def test_the_short_form_waits_for_no_deadline(tmp_path: Path) -> None:
    """What it leaves out is listed."""
    chosen = ("-k", "frozen or silent", "--conformance-short")
    ended = run_kit(tmp_path, source(GOOD), *chosen)
    assert (ended.passed, ended.failed) == (frozenset(), {})
    assert "  without waiting, in the short form:" in ended.output


def test_the_tests_of_the_author_stand_beside_the_checks(tmp_path: Path) -> None:
    """They have the same answers, and do not count as the kit's."""
    line = "def test_mine(self): assert self.subject.plugin.type == 'ledger' and self.options()"
    ended = run(tmp_path, GOOD, line, chosen=f"test_mine or {WHOLE}")
    assert ended.passed == {"test_mine", WHOLE}
    assert "1 of 1 proven" in ended.output


def test_pytest_finds_the_kit_installed_and_leaves_other_tests_alone(tmp_path: Path) -> None:
    """Whoever has event-brokers in an environment is not slowed down: nothing of it is imported."""
    (tmp_path / "test_other.py").write_text(
        "import sys\n\ndef test_other():\n"
        "    assert 'event_brokers.testing.pytest_plugin' in sys.modules\n"
        "    assert not [name for name in sys.modules if name.startswith(\n"
        "        ('event_brokers.testing.conf', 'event_brokers.testing.checks', 'pluggy.event',\n"
        "         'msgspec', 'event_brokers.broker', 'yaml'))]\n",
        encoding="utf-8",
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:hypothesispytest",
    ]
    ended = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    assert "conformance" not in ended.stdout


def test_no_other_part_of_the_kit_imports_pytest() -> None:
    """A program that tests with the broker in memory needs none."""
    program = (
        "import sys\nfrom event_brokers.testing import Arrived, MemoryBroker\n"
        "import event_brokers.testing.child, event_brokers.testing.proxy\n"
        "assert 'pytest' not in sys.modules and 'trustme' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_check_is_in_the_kit() -> None:
    """At least as many as there were: one that is taken out is taken out on purpose."""
    assert len(CHECKS) >= 67


def test_what_a_hook_raises_unforeseen_is_one_sentence(tmp_path: Path) -> None:
    """The author reads which line of the contract it breaks; where it was raised, below."""
    ended = run(tmp_path, "testing.broken_publishing:the_NeedsASender", chosen="bodies_arrive")
    (said,) = ended.failed.values()
    assert said.startswith("a hook raised KeyError: 'sender_id'; event_brokers.hookspecs says: ")
    assert "in record" in ended.output
    assert "self = <" not in ended.output


def test_what_the_author_has_answered_wrong_keeps_its_traceback(tmp_path: Path) -> None:
    """It is no fault of the plugin."""
    ended = run(tmp_path, GOOD, "def arrived(self): return 1 / 0", chosen=IDS)
    assert "ZeroDivisionError" in ended.failed[IDS]
    assert "def arrived(self)" in ended.output
    assert "says:" not in ended.failed[IDS]
