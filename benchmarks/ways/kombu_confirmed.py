"""kombu's Producer with `confirm_publish`, which waits for the confirm of each message."""

from __future__ import annotations

from typing import Any

import kombu

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id, properties_of


def run(task: Task) -> Figures:
    """Measure from the first message until the last confirm."""
    section = task.section
    with kombu.Connection(
        hostname=section["url"], port=section["port"], userid=section["username"],
        password=section["password"], transport="pyamqp",
        transport_options={"confirm_publish": True},
    ) as connection:  # fmt: skip
        producer = connection.Producer(serializer="json")

        def deliver(events: list[dict[str, Any]]) -> None:
            for event in events:
                properties = properties_of(event, next_id())
                # the serializer says the type of what it makes
                del properties["content_type"]
                producer.publish(
                    event, exchange="", routing_key=section["queue"], mandatory=True, **properties
                )

        return measure_delivery(task, deliver)
