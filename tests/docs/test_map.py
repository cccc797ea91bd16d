"""The map in CONTRIBUTING.md: each module with its one job, as the module itself says it."""

from __future__ import annotations

import re
import subprocess
import sys

from wheels import ROOT

MAP = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_map_knows_every_module() -> None:
    """A module that is new, renamed, or does another job is so on the map."""
    command = [sys.executable, str(ROOT / "scripts" / "write_map.py"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
    assert {
        "core/src/event_brokers",
        "assistant/src/event_brokers_assistant",
        "monitor/src/event_brokers_monitor",
    } <= {*re.findall("module of `(.+?)`", MAP)}
    assert "| `broker.py` | EventBroker" in MAP


def test_the_map_knows_every_folder_of_tests() -> None:
    """What each of them holds."""
    folders = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/*/*.py")}
    table = MAP.partition("| folder | what it holds |")[2]
    assert folders == {*re.findall("`(tests/[a-z_]+)`", table)}
