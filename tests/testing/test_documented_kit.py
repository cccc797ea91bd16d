"""The conformance test of docs/plugins.md passes, over the plugin that stands above it."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.test_plugin_of_the_documentation import FORMS, modules
from testing.inner_run import run_kit
from testing.test_kit_bites import told
from wheels import ROOT


def documented() -> str:
    """Return the test module as it stands in the document."""
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    (block,) = [part for part in text.split("```python\n") if "Conformance" in part.split("```")[0]]
    return block.partition("```")[0]


@pytest.mark.parametrize("form", FORMS)
def test_the_plugin_of_the_documentation_holds_the_contract(form: str, tmp_path: Path) -> None:
    """Whoever begins by copying it begins with what is right."""
    module = tmp_path / "event_brokers_lines.py"
    module.write_text(modules()[FORMS.index(form)], encoding="utf-8")
    run = run_kit(tmp_path, documented(), f"--override-ini=pythonpath={tmp_path}")
    assert (run.code, run.failed) == (0, {}), told(run)
    assert "switched off, a line has no room for an id:" in run.output
    assert "test_nothing_is_lost_when_the_server_is_killed_in_mid_stream" in run.skipped
