"""Publishes into a spool, one event a call: what the calls take, whether it is delivered or not."""

from __future__ import annotations

import threading
import time
from typing import Any

import event_brokers
from benchmarks.events import SENDERS, numbered
from benchmarks.measuring import latency_curve, measured, percentiles
from benchmarks.row import CPU, RATE
from benchmarks.task import Figures, Task

_FLUSH_SECONDS = 300


def run(task: Task) -> Figures:
    """Measure from the first call until the last has returned, not until all is delivered.

    Settings: `durability`; `threads`, how many publish at once, 1 unless given.
    """
    threads = task.settings.get("threads", 1)
    senders = threads if threads > 1 else SENDERS
    count = task.count // threads * threads
    broker = event_brokers.connect(task.section_with_delivery())
    for event in numbered(0, task.warm_up, senders):
        broker.publish(event)
    events = numbered(task.warm_up, count, senders)
    shares = [[each for each in events if each["number"] % threads == of] for of in range(threads)]
    times: list[float] = []
    workers = [
        threading.Thread(target=_publish, args=(broker, share, times)) for share in shares[1:]
    ]
    with measured() as taken:
        for worker in workers:
            worker.start()
        _publish(broker, shares[0], times)
        for worker in workers:
            worker.join()
    if task.section["type"] != "down":
        broker.flush(_FLUSH_SECONDS)
    broker.close(timeout=0)
    figures = {RATE: count / taken.seconds, CPU: taken.cpu_seconds / count * 1e6}
    return Figures(figures | percentiles(times), task.warm_up + count, latency_curve(times))


def _publish(
    broker: event_brokers.EventBroker, events: list[dict[str, Any]], times: list[float]
) -> None:
    own = []
    for event in events:
        begun = time.perf_counter()
        broker.publish(event)
        own.append(time.perf_counter() - begun)
    times += own
