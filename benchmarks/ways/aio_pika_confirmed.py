"""aio-pika with publisher confirms, batches gathered as in its tutorial's part about confirms."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timezone
from typing import Any

import aio_pika

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id

_AT_ONCE = 1_000


def run(task: Task) -> Figures:
    """Measure from the first message until the last confirm."""
    section = task.section
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(
        aio_pika.connect_robust(
            host=section["url"], port=section["port"], login=section["username"],
            password=section["password"],
        )
    )  # fmt: skip
    channel = loop.run_until_complete(connection.channel(publisher_confirms=True))

    async def publish(event: dict[str, Any]) -> None:
        message_id = next_id()
        message = aio_pika.Message(
            json.dumps(event).encode(),
            content_type="application/json",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
            type=event["event"],
            timestamp=datetime.fromtimestamp(event["timestamp"], timezone.utc),
            headers={"event_id": message_id, "event_type": event["event"]},
        )
        await channel.default_exchange.publish(message, section["queue"], mandatory=True)

    async def gather(events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), _AT_ONCE):
            await asyncio.gather(*map(publish, events[first : first + _AT_ONCE]))

    found = measure_delivery(task, lambda events: loop.run_until_complete(gather(events)))
    loop.run_until_complete(connection.close())
    return found
