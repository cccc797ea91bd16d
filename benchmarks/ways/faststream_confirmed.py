"""FastStream's broker for RabbitMQ, which confirms unless told otherwise; batches are gathered."""

from __future__ import annotations

import asyncio
from typing import Any

from faststream.rabbit import RabbitBroker, RabbitQueue

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id

_AT_ONCE = 1_000


def run(task: Task) -> Figures:
    """Measure from the first message until the last confirm."""
    section = task.section
    user, place = (
        f"{section['username']}:{section['password']}", f"{section['url']}:{section['port']}",
    )  # fmt: skip
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    broker = RabbitBroker(f"amqp://{user}@{place}/")
    queue = RabbitQueue(section["queue"], durable=True)
    loop.run_until_complete(broker.start())

    async def publish(event: dict[str, Any]) -> None:
        message_id = next_id()
        await broker.publish(
            event,
            queue,
            persist=True,
            message_id=message_id,
            headers={"event_id": message_id, "event_type": event["event"]},
        )

    async def gather(events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), _AT_ONCE):
            await asyncio.gather(*map(publish, events[first : first + _AT_ONCE]))

    found = measure_delivery(task, lambda events: loop.run_until_complete(gather(events)))
    loop.run_until_complete(broker.stop())
    return found
