"""A loop over kafka-python's KafkaProducer that looks at what became of every record."""

from __future__ import annotations

import warnings
from typing import Any

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.records import record_of

with warnings.catch_warnings():
    # kafka-python reads its own metadata in a way that importlib has deprecated
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka import KafkaProducer


def run(task: Task) -> Figures:
    """Measure from the first record until the last is confirmed.

    Settings: `options` of the producer; its defaults where there are none.
    """
    topic = task.section["topic"]
    producer = KafkaProducer(
        bootstrap_servers=task.section["url"], **task.settings.get("options", {})
    )

    def send(event: dict[str, Any]) -> Any:
        body, key, headers = record_of(event)
        return producer.send(topic, body, key, headers)

    def deliver(events: list[dict[str, Any]]) -> None:
        sent = [send(event) for event in events]
        producer.flush()
        if not all(future.succeeded() for future in sent):
            raise RuntimeError("not every record was confirmed")

    found = measure_delivery(task, deliver)
    producer.close()
    return found
