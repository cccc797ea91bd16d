"""Turns of `event-brokers run` over HTTP, with the server healthy and killed."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks.measuring import percentile
from benchmarks.task import Figures, Task
from benchmarks.turn import ask
from command import Commands
from running_assistant import RunningAssistant

_ROUNDS = 4


def run(task: Task) -> Figures:
    """Measure each turn.

    Settings: `endpoints`, further sections of endpoints.yml; `durability` of the spool.
    """
    section = task.section_with_delivery()
    del section["delivery"]["exit_timeout"]
    endpoints = {**task.settings.get("endpoints", {}), "event_broker": section}
    healthy: list[float] = []
    killed: list[float] = []
    turns = task.count // _ROUNDS
    with RunningAssistant(Commands(Path(task.folder)), endpoints) as assistant:
        _say(assistant, "the first ones warm up", task.warm_up)
        for number in range(_ROUNDS):
            healthy += _say(assistant, f"healthy-{number}", turns)
            ask("kill")
            killed += _say(assistant, f"killed-{number}", turns)
            ask("recover")
        assistant.stop()
    healthy.sort()
    killed.sort()
    measures = {
        f"{name} ms, {state}": percentile(times, share)
        for name, share in (("p50", 0.5), ("p95", 0.95))
        for state, times in (("healthy", healthy), ("killed", killed))
    }
    return Figures(measures)


def _say(assistant: RunningAssistant, sender: str, turns: int) -> list[float]:
    times = []
    for number in range(turns):
        begun = time.perf_counter()
        assistant.say(f"turn {number}", sender)
        times.append((time.perf_counter() - begun) * 1e3)
    return times
