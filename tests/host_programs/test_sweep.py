"""Whatever line of a call a signal strikes, the broker works on, and no event is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from host_programs.running import LONGEST_SECONDS, Programs
from host_programs.sweep import STRIKES, calls_for

# how many lines to go on each time, unless everything is to be tried: a spool takes its time
STEPS = dict.fromkeys([("memory", strike) for strike in STRIKES], 1)
STEP_IN_SHORT = 5


@pytest.mark.parametrize("waits", ["memory", "spool"])
@pytest.mark.parametrize("strike", STRIKES)
def test_a_thread_may_be_struck_at_every_line_of_every_call(
    programs: Programs, tmp_path: Path, strike: str, waits: str, is_whole: bool
) -> None:
    """By an exception or by a call of the broker; then others publish, flush and close in time.

    No event is counted or delivered twice, and none is lost whose `publish` returned.
    """
    step = 1 if is_whole else STEPS.get((waits, strike), STEP_IN_SHORT)
    folder = "memory" if waits == "memory" else str(tmp_path / "spools")
    done = programs.run(
        "-m", "host_programs.sweep", strike, folder, str(step), seconds=LONGEST_SECONDS
    )
    told = done.document
    assert not told["failures"], json.dumps(told["failures"], indent=2)
    assert done.err == ""
    assert list(told["lines"]) == list(calls_for(strike))
    assert min(told["lines"].values()) > 1
