"""Delivers with event-brokers: all events in one call, or each in a call of its own."""

from __future__ import annotations

from typing import Any

import event_brokers
from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task

_FLUSH_SECONDS = 600


def run(task: Task) -> Figures:
    """Measure from the first call until the last event is confirmed.

    Settings: `at_once`, how many events a call of `publish_many` takes; without it `publish` takes
    each. `options`, further ones of the section.
    """
    at_once = task.settings.get("at_once")
    section = task.section_with_delivery() | task.settings.get("options", {})
    with event_brokers.connect(section) as broker:

        def deliver(events: list[dict[str, Any]]) -> None:
            if at_once is None:
                for event in events:
                    broker.publish(event)
            else:
                for first in range(0, len(events), at_once):
                    broker.publish_many(events[first : first + at_once])
            status = broker.flush(_FLUSH_SECONDS)
            if status.pending:
                raise RuntimeError(f"{status.pending} events were not delivered")

        return measure_delivery(task, deliver)
