"""Publish from several tasks of an asyncio program: python examples/publish_from_asyncio.py."""

from __future__ import annotations

import asyncio
import time

import event_brokers


async def converse(broker: event_brokers.EventBroker, sender_id: str) -> None:
    """Publish a short conversation; `publish` waits for nothing, so it needs no await."""
    for text in ("hi", "a table for two", "bye"):
        event = {"sender_id": sender_id, "event": "user", "text": text, "timestamp": time.time()}
        broker.publish(event)
        await asyncio.sleep(0)


async def main() -> None:
    """Hold three conversations at once, and wait until every event is confirmed."""
    async with event_brokers.connect("endpoints.yml") as broker:
        await asyncio.gather(*(converse(broker, f"guest-{number}") for number in range(3)))
        status = await broker.aflush(timeout=30)
        print(f"{status.delivered} delivered, {status.pending} pending")


if __name__ == "__main__":
    asyncio.run(main())
