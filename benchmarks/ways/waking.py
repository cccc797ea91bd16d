"""What the machine takes in the rhythm of a bot: JSON, and a thread that is woken, and no more.

Between two turns processor and caches cool down, and the first call of a turn wakes them.
"""

from __future__ import annotations

import json
import threading
from queue import SimpleQueue
from typing import Any

from benchmarks.measuring import latency_curve, percentiles, time_calls
from benchmarks.task import Figures, Task
from benchmarks.ways.rhythm import turns


def run(task: Task) -> Figures:
    """Measure `json.dumps` and `put` of each event; the task counts in seconds."""
    queue: SimpleQueue[str | None] = SimpleQueue()
    taker = threading.Thread(target=_take, args=[queue])
    taker.start()

    def put(event: dict[str, Any]) -> None:
        queue.put(json.dumps(event))

    times = [taken for events in turns(task.count) for taken in time_calls(put, events)]
    queue.put(None)
    taker.join()
    return Figures(percentiles(times), None, latency_curve(times))


def _take(queue: SimpleQueue[str | None]) -> None:
    while queue.get() is not None:
        pass
