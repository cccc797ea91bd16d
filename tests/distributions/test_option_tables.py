"""The option tables in the READMEs say what the code does."""

from __future__ import annotations

import subprocess
import sys

from wheels import ROOT


def test_option_tables_are_up_to_date() -> None:
    """Every README's table is what scripts/write-option-tables makes of the options class."""
    command = [sys.executable, str(ROOT / "scripts" / "write-option-tables"), "--check"]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (run.returncode, run.stderr) == (0, "")
