"""Calls `publish` at a steady rate, or as often as it returns, and notes what each call takes."""

from __future__ import annotations

import contextlib
import time

import event_brokers
from benchmarks.events import numbered
from benchmarks.measuring import latency_curve, percentiles
from benchmarks.row import RATE
from benchmarks.task import Figures, Task
from benchmarks.ways import watching

_FLUSH_SECONDS = 300


def run(task: Task) -> Figures:
    """Measure each call.

    Settings: `rate`, calls a second; without it they follow one another at once. `watch`, what is
    on meanwhile: "scraped" or "instrumented".
    """
    watching.begin(task.settings.get("watch"))
    broker = event_brokers.connect(task.section_with_delivery())
    is_down = task.section["type"] == "down"
    for event in numbered(0, task.warm_up):
        broker.publish(event)
    if not is_down:
        broker.flush(_FLUSH_SECONDS)
    events = numbered(task.warm_up, task.count)
    pause = 1 / task.settings["rate"] if "rate" in task.settings else 0.0
    times = []
    begun = due = time.perf_counter()
    for event in events:
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
        called = time.perf_counter()
        broker.publish(event)
        times.append(time.perf_counter() - called)
        due += pause
    seconds = time.perf_counter() - begun
    accepted = broker.status().accepted
    if accepted != task.warm_up + task.count:
        raise RuntimeError(f"{accepted} events were accepted")
    measures = {RATE: task.count / seconds, **percentiles(times)}
    if not is_down:
        broker.close(_FLUSH_SECONDS)
        return Figures(measures, accepted, latency_curve(times))
    # what waits in memory for a broker that is down has nowhere to go
    with contextlib.suppress(event_brokers.UndeliveredEvents):
        broker.close(timeout=0)
    return Figures(measures, curve=latency_curve(times))
