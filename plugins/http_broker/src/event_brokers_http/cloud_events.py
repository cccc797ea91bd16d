"""An event as a CloudEvent 1.0: its attributes, the JSON of one and of several, and the headers.

https://github.com/cloudevents/spec: spec.md, formats/json-format.md and
bindings/http-protocol-binding.md of version 1.0.2.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone

import msgspec

from event_brokers import Event
from event_brokers_http.header_text import encoded_value

ONE, SEVERAL = "application/cloudevents+json", "application/cloudevents-batch+json"
WITHOUT_TYPE = "event"  # the attribute must not be empty
_JSON = "application/json"
# no String of CloudEvents holds a control character or what Unicode calls a noncharacter
_NONCHARACTERS = "".join(chr(plane << 16 | low) for plane in range(17) for low in (0xFFFE, 0xFFFF))
_NOT_IN_STRINGS = re.compile(f"[\x00-\x1f\x7f-\x9f\ufdd0-\ufdef{_NONCHARACTERS}]")
_EXTENSION = re.compile(r"[a-z0-9]{1,20}")
_ATTRIBUTES = frozenset({
    "specversion", "id", "source", "type", "datacontenttype", "dataschema", "subject", "time",
    "data",
})  # fmt: skip
_encode = msgspec.json.Encoder().encode


def attributes(event: Event, source: str) -> dict[str, str]:
    """Return the attributes of an event, without its data.

    The conversation is the `subject`; headers whose names CloudEvents allows are extensions.

    Parameters:
        event: the event.
        source: where it comes from.
    """
    found = {
        name: _string(text)
        for name, text in event.given_headers.items()
        if _EXTENSION.fullmatch(name) and name not in _ATTRIBUTES
    }
    found |= {
        "specversion": "1.0",
        "id": event.id,
        "source": source,
        "type": _string(event.type or "") or WITHOUT_TYPE,
        "datacontenttype": _JSON,
    }
    subject = _string(event.sender_id or "")
    if subject:
        found["subject"] = subject
    time = _time(event.timestamp)
    if time is not None:
        found["time"] = time
    return found


def as_json(event: Event, source: str) -> bytes:
    """Return an event, with its attributes, as JSON; its body is in there byte for byte.

    Parameters:
        event: the event.
        source: where it comes from.
    """
    return _encode({**attributes(event, source), "data": msgspec.Raw(event.body)})


def as_headers(event: Event, source: str) -> dict[str, str]:
    """Return the headers with which an event's body is a CloudEvent in binary mode.

    Parameters:
        event: the event.
        source: where it comes from.
    """
    found = attributes(event, source)
    content_type = found.pop("datacontenttype")
    named = {f"ce-{name}": encoded_value(text) for name, text in found.items()}
    return {"Content-Type": content_type, **named}


def _string(text: str) -> str:
    return _NOT_IN_STRINGS.sub("", text)


def _time(seconds: float | None) -> str | None:
    """Return a time as RFC 3339 has it; None where no calendar has it."""
    if seconds is None:
        return None
    try:
        time = datetime.fromtimestamp(seconds, timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return time.isoformat().replace("+00:00", "Z")
