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


class Publisher:
    """Publishes batches on a loop of its own.

    Parameters:
        section: the server and the queue, which exists.
    """

    def __init__(self, section: dict[str, Any]) -> None:
        self._section = section
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._connect())

    def deliver(self, events: list[dict[str, Any]]) -> None:
        """Publish events, and return when all are confirmed."""
        self._loop.run_until_complete(self._gather(events))

    def close(self) -> None:
        """Close the connection."""
        self._loop.run_until_complete(self._connection.close())

    async def _connect(self) -> None:
        self._connection = await aio_pika.connect_robust(
            host=self._section["url"],
            port=self._section["port"],
            login=self._section["username"],
            password=self._section["password"],
        )
        channel = await self._connection.channel(publisher_confirms=True)
        self._exchange = channel.default_exchange

    async def _gather(self, events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), _AT_ONCE):
            await asyncio.gather(*map(self._publish, events[first : first + _AT_ONCE]))

    async def _publish(self, event: dict[str, Any]) -> None:
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
        await self._exchange.publish(message, self._section["queue"], mandatory=True)


def run(task: Task) -> Figures:
    """Measure from the first message until the last confirm."""
    publisher = Publisher(task.section)
    found = measure_delivery(task, publisher.deliver)
    publisher.close()
    return found
