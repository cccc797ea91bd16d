"""A loop over confluent-kafka's Producer: produce, poll, a report of every record."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, Message, Producer

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.records import record_of

_FLUSH_SECONDS = 300


class Loop:
    """Produces what it is given, and counts the reports.

    Parameters:
        section: the server and the topic.
    """

    def __init__(self, section: dict[str, Any]) -> None:
        self._topic = section["topic"]
        self._confirmed = self._sent = 0
        self._producer = Producer({
            "bootstrap.servers": section["url"], "acks": "all", "enable.idempotence": True,
            "linger.ms": 5,
        })  # fmt: skip

    def deliver(self, events: list[dict[str, Any]]) -> None:
        """Produce events, and return when all are reported."""
        for event in events:
            self._produce(event)
            self._producer.poll(0)
        self._producer.flush(_FLUSH_SECONDS)
        self._sent += len(events)
        if self._confirmed != self._sent:
            raise RuntimeError(f"{self._sent - self._confirmed} records were not confirmed")

    def _produce(self, event: dict[str, Any]) -> None:
        body, key, headers = record_of(event)
        while True:
            try:
                self._producer.produce(
                    self._topic, body, key, headers=headers, on_delivery=self._note
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _note(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            raise RuntimeError(str(error))
        self._confirmed += 1


def run(task: Task) -> Figures:
    """Measure from the first record until the last report."""
    return measure_delivery(task, Loop(task.section).deliver)
