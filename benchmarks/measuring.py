"""The clock, the processor's time and the memory of the process that is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.events import SENDERS, numbered
from benchmarks.row import CPU, PEAK, RATE
from benchmarks.task import Figures, Task

_Given = TypeVar("_Given")
Deliver = Callable[[list[dict[str, Any]]], None]
PERCENTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_CURVE = (0.1, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 1.0)


@dataclass
class Taken:
    """What something has taken, once it is over.

    Attributes:
        seconds: by the clock.
        cpu_seconds: of the processor, by every thread of this process.
        peak_mb: the most memory that the process had meanwhile, in MB.
        grown_mb: how much of it was not there before.
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float = 0.0
    grown_mb: float = 0.0

    def per_event(self, count: int) -> dict[str, float]:
        """Return the measures of a throughput."""
        return {
            RATE: count / self.seconds,
            CPU: self.cpu_seconds / count * 1e6,
            PEAK: self.peak_mb,
        }


@contextmanager
def measured() -> Iterator[Taken]:
    """Measure what happens within; the figures are there afterwards."""
    taken = Taken()
    # forgets the highest so far (proc(5)); getrusage's would hold that of the parent, too
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    before = memory_mb("VmRSS")
    cpu, begun = time.process_time(), time.perf_counter()
    yield taken
    taken.seconds, taken.cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu
    taken.peak_mb = memory_mb("VmHWM")
    taken.grown_mb = taken.peak_mb - before


def measure_delivery(task: Task, deliver: Deliver) -> Figures:
    """Deliver the warm-up, then measure how long the events take.

    Parameters:
        task: how many; `senders` among its settings is how many conversations take turns.
        deliver: returns when the broker has confirmed every event that it was given.
    """
    senders = task.settings.get("senders", SENDERS)
    deliver(numbered(0, task.warm_up, senders))
    events = numbered(task.warm_up, task.count, senders)
    with measured() as taken:
        deliver(events)
    return Figures(taken.per_event(task.count), task.warm_up + task.count)


def time_calls(call: Callable[[_Given], object], given: Iterable[_Given]) -> list[float]:
    """Return how many seconds each call takes.

    Parameters:
        call: what is measured.
        given: what it is called with, one after the other.
    """
    times = []
    for each in given:
        called = time.perf_counter()
        call(each)
        times.append(time.perf_counter() - called)
    return times


def memory_mb(name: str) -> float:
    """Return a figure of this process' memory: VmRSS as it is, VmHWM the highest."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise LookupError(name)


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the ordered values lies."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def percentiles(times: Sequence[float], suffix: str = "") -> dict[str, float]:
    """Return the measures of a latency, in microseconds.

    Parameters:
        times: of each call, in seconds.
        suffix: of their names.
    """
    ordered = sorted(times)
    found = {f"{name} us{suffix}": percentile(ordered, at) for name, at in PERCENTILES.items()}
    return {name: value * 1e6 for name, value in {**found, f"max us{suffix}": ordered[-1]}.items()}


def latency_curve(times: Sequence[float]) -> list[tuple[float, float]]:
    """Return shares of the calls, and how many microseconds all of them stayed below."""
    ordered = sorted(times)
    return [(share, percentile(ordered, share) * 1e6) for share in _CURVE]
