"""Runs the conformance kit over a plugin in a pytest of its own, and tells how each check ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

TESTS = Path(__file__).parent.parent
KIT = "event_brokers.testing.pytest_plugin"  # by name, so that no other plugin takes its time
SECONDS = 240


@dataclass(frozen=True)
class InnerRun:
    """How a run of the kit ended.

    Attributes:
        code: pytest's exit code.
        output: what pytest wrote.
        passed: names of the checks that passed.
        failed: name of each check that failed -> what it said.
        skipped: name of each check that was skipped, or switched off -> why.
    """

    code: int
    output: str
    passed: frozenset[str]
    failed: dict[str, str]
    skipped: dict[str, str]


def run_kit(folder: Path, source: str, *arguments: str) -> InnerRun:
    """Run a test module in a pytest of its own.

    Parameters:
        folder: where to write it.
        source: of the module.
        arguments: of pytest.
    """
    module, report = folder / "test_inner.py", folder / "report.xml"
    module.write_text(source, encoding="utf-8")
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", KIT, "-W", "error",
        f"--rootdir={folder}", f"--override-ini=pythonpath={TESTS}", f"--junitxml={report}",
        str(module), *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ended = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True,
        timeout=SECONDS,
    )  # fmt: skip
    cases = ElementTree.parse(report).iter("testcase") if report.exists() else iter(())
    passed, failed, skipped = set(), {}, {}
    for case in cases:
        name = case.attrib["name"].partition("[")[0]
        wrong = [child for child in case if child.tag in ("failure", "error")]
        left_out = case.find("skipped")
        if wrong:
            failed[name] = " ".join(child.text or "" for child in wrong)
        elif left_out is not None:
            skipped[name] = left_out.attrib.get("message", "")
        else:
            passed.add(name)
    return InnerRun(
        ended.returncode, ended.stdout + ended.stderr, frozenset(passed), failed, skipped
    )
