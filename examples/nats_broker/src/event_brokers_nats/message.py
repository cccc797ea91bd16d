"""From an event to a message of NATS, and back."""

from __future__ import annotations

from urllib.parse import quote, unquote

from nats.aio.msg import Msg

from event_brokers import Event, ReceivedEvent

ID = "Nats-Msg-Id"  # of several messages with the same one JetStream stores the first


def headers_of(event: Event) -> dict[str, str]:
    """Return the headers of the message: JetStream stores an id once."""
    return {**{quote(name): text for name, text in event.headers.items()}, ID: event.id}


def size_of(event: Event) -> int:
    """Return the bytes that the server counts: the body, and what stands before it."""
    lines = ["NATS/1.0", *(f"{name}: {text}" for name, text in headers_of(event).items()), "", ""]
    return len("\r\n".join(lines).encode()) + len(event.body)


def event_of(message: Msg) -> ReceivedEvent:
    """Return the event that a message holds, also one that somebody else has sent."""
    headers = {unquote(name): text for name, text in (message.headers or {}).items()}
    stored = message.metadata
    origin = f"stream '{stored.stream}', sequence {stored.sequence.stream}"
    return ReceivedEvent.from_body(message.data, origin, headers.pop(ID, None), headers)
