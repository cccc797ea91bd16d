"""Does nothing for a while, and counts what that costs; then another process uses the spool."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import msgspec

import event_brokers
from benchmarks.measuring import percentile
from benchmarks.task import Figures, Task

_SETTLE_SECONDS = 2.0
_NEIGHBOURS_EVENTS = 40
_FLUSH_SECONDS = 30


def run(task: Task) -> Figures:
    """Return the share of a core, and with a spool how late another process' events leave.

    Settings: `durability` of the spool, where there is one.
    """
    arrivals = Path(task.folder, "arrivals")
    section = task.section_with_delivery() | {"type": "noting", "file": str(arrivals)}
    with event_brokers.connect(section) as broker:
        broker.publish({"sent": time.monotonic()})
        broker.flush(_FLUSH_SECONDS)
        time.sleep(_SETTLE_SECONDS)
        cpu, begun = time.process_time(), time.perf_counter()
        time.sleep(task.count)
        share = (time.process_time() - cpu) / (time.perf_counter() - begun)
        measures = {"% of a core": share * 100}
        if "durability" in task.settings:
            _let_neighbour_publish(section)
            measures |= _lateness(arrivals)
    return Figures(measures)


def _let_neighbour_publish(section: dict[str, object]) -> None:
    command = [sys.executable, "-m", "benchmarks.ways.neighbour", str(_NEIGHBOURS_EVENTS)]
    subprocess.run(command, input=msgspec.json.encode(section), check=True)


def _lateness(arrivals: Path) -> dict[str, float]:
    lines = [tuple(map(float, line.split())) for line in arrivals.read_text("utf-8").splitlines()]
    late = sorted((arrived - sent) * 1e3 for sent, arrived in lines[1:])
    if len(late) != _NEIGHBOURS_EVENTS:
        raise RuntimeError(f"{len(late)} of {_NEIGHBOURS_EVENTS} events have left")
    return {"neighbour p50 ms": percentile(late, 0.5), "neighbour max ms": late[-1]}
