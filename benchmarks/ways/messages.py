"""What travels beside an event's body in RabbitMQ, for the clients that are written by hand."""

from __future__ import annotations

import itertools
from typing import Any

_numbers = itertools.count()


def next_id() -> str:
    """Return an id as long as a UUID, that sorts behind the one before, as those of ours do."""
    return f"01890a5d-ac96-774b-bcce-{next(_numbers):012x}"


def properties_of(event: dict[str, Any], message_id: str) -> dict[str, Any]:
    """Return the properties that event-brokers-pika gives the message, under pika's names."""
    return {
        "content_type": "application/json",
        "delivery_mode": 2,
        "message_id": message_id,
        "type": event["event"],
        "timestamp": int(event["timestamp"]),
        "headers": {"event_id": message_id, "event_type": event["event"]},
    }
