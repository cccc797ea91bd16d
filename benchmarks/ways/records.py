"""What travels beside an event's body in Kafka, for the clients that are written by hand."""

from __future__ import annotations

import json
import uuid
from typing import Any

Headers = list[tuple[str, str | bytes | None]]


def record_of(event: dict[str, Any]) -> tuple[bytes, bytes, Headers]:
    """Return body, key and headers, as event-brokers-kafka has them."""
    event_id = str(uuid.uuid4()).encode()
    headers: Headers = [("event_id", event_id), ("event_type", event["event"].encode())]
    return json.dumps(event).encode(), event["sender_id"].encode(), headers
