"""Starts a process of its own for one task of `child.py`, and reads what it has found."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from event_brokers.event import Event

if TYPE_CHECKING:
    from event_brokers.testing.answers import Answers

_MODULE = "event_brokers.testing.child"


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    Attributes:
        code: its exit code, negative for a signal; None where it did not end in time.
        found: what it has found; None where it said nothing.
        error: the last line of what it wrote to standard error.
    """

    code: int | None
    found: Any
    error: str


def run_child(
    answers: Answers,
    name: str,
    options: Mapping[str, Any],
    seconds: float,
    events: Sequence[Event] = (),
    **more: Any,
) -> Ended:
    """Return how a process has ended that did one task.

    Parameters:
        answers: say which plugin.
        name: of the task.
        options: of the plugin.
        seconds: that it may take.
        events: for it to publish.
        more: what else the task needs.
    """
    task = {
        "name": name,
        "path": sys.path,
        "type": answers.type,
        "entry_point": answers.entry_point,
        "options": dict(options),
        "events": [(event.id, json.loads(event.body)) for event in events],
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", _MODULE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    with process:
        try:
            said, error = process.communicate(json.dumps(task, default=str), seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return Ended(None, None, f"it has not ended within {seconds:g} s")
    return Ended(process.returncode, _last_json(said), _last_line(error))


def _last_json(said: str) -> Any:
    lines = said.splitlines()
    return json.loads(lines[-1]) if lines else None


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
