"""Starts a program, and notes how long it takes until it has said its first line, or has ended."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from benchmarks.events import numbered
from benchmarks.task import Figures, Task

_PROGRAMS = Path(__file__).parent / "first"


def run(task: Task) -> Figures:
    """Measure one start.

    Settings: `program` of `ways/first`, which confirms one event; or `command`, the name of a
    program beside Python's, and its words; or `statement`, which times itself.
    """
    if statement := task.settings.get("statement"):
        return Figures({"ms": _time_statement(statement)})
    if command := task.settings.get("command"):
        program, *words = command
        return Figures({"ms": _time([str(Path(sys.executable).with_name(program)), *words])})
    program = str(_PROGRAMS / f"{task.settings['program']}.py")
    section = msgspec.json.encode(task.section).decode()
    event = msgspec.json.encode(numbered(0, 1)[0]).decode()
    return Figures({"ms": _time([sys.executable, program, section, event])}, 1)


def _time(command: list[str]) -> float:
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment()) as process:
        assert process.stdout is not None
        process.stdout.readline()
        taken = (time.perf_counter() - begun) * 1e3
        process.stdout.read()
    if process.returncode:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return taken


def _environment() -> dict[str, str]:
    # what pip installs is compiled; a checkout is at the first start, unless this forbids it
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _time_statement(statement: str) -> float:
    program = (
        f"import time; begun = time.perf_counter(); {statement}; "
        "print((time.perf_counter() - begun) * 1e3)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, env=_environment(), check=True
    )
    return float(done.stdout)
