"""From a dictionary that Rasa publishes to the event that it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers.errors import InvalidEvent
from event_brokers.event import Event

# Rasa Pro 3.21, rasa/events/v1/broker_event.proto: what surrounds the one payload
_ENVELOPE = frozenset({
    "conversation_id", "deployment_environment", "event_id", "metadata", "sequence", "session_id",
    "timestamp", "user_id",
})  # fmt: skip


def event_from(published: Mapping[str, Any]) -> Event:
    """Return the event for what Rasa hands over.

    Rasa Pro's Mantle runtime writes `conversation_id`, `event_id` and one payload such as `user`,
    where Rasa 3.6 writes `sender_id` and `event`: key, id and type come from these. The body stays
    as it is.

    Parameters:
        published: a dictionary of what JSON can say.

    Raises:
        InvalidEvent: JSON cannot say it.
    """
    event = Event.from_dict(published)
    conversation = published.get("conversation_id")
    if event.sender_id is not None or not isinstance(conversation, str):
        return event
    return msgspec.structs.replace(
        event, id=_id(published) or event.id, sender_id=conversation, type=_payload(published)
    )


def _id(published: Mapping[str, Any]) -> str | None:
    """Return the event's own id; none where no broker would take it, and the event goes on."""
    try:
        return Event.from_dict({}, published.get("event_id")).id
    except InvalidEvent:
        return None


def _payload(published: Mapping[str, Any]) -> str | None:
    found = [
        name
        for name, value in published.items()
        if name not in _ENVELOPE and isinstance(value, Mapping)
    ]
    return found[0] if len(found) == 1 else None
