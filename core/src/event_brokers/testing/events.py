"""The events that the checks publish: each has a body that no other has."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from event_brokers.event import Event

_CONVERSATION = "conformance"
_MEGABYTE = 1_000_000  # bytes: what Kafka and NATS take as they are installed, with its headers
_DEPTH = 100


def numbered(count: int, **more: Any) -> list[Event]:
    """Return events of one conversation, numbered from 0.

    Parameters:
        count: how many.
        more: what else their dictionaries hold.
    """
    mark = uuid.uuid4().hex
    return [
        Event.from_dict(
            {
                "sender_id": _CONVERSATION,
                "event": "user",
                "timestamp": 1528402837.617099,
                "number": number,
                "mark": mark,
                **more,
            }
        )
        for number in range(count)
    ]


def unusual_bodies() -> dict[str, Event]:
    """Return events whose bodies a plugin is likely to change, by what is unusual about them."""
    deep: Any = "deepest"
    for _ in range(_DEPTH):
        deep = {"inner": [deep]}
    dictionaries: dict[str, dict[str, Any]] = {
        "empty": {},
        "with unicode": {"text": "żółw 龜 𝄞 👩‍👩‍👧 é \u2028 עברית \u0000 \u007f \\ \" '"},
        "with floats": {"numbers": [0.1, 1e-7, 1.7976931348623157e308, -0.0, 1528402837.617099]},
        "with large numbers": {"numbers": [2**53 + 1, -(2**63), 2**64 - 1]},
        "nested deeply": {"outer": deep},
        "with blanks and line ends": {" key ": "  \t\r\n line \n", "": ""},
        "with no order of keys": {"b": 1, "a": 2, "C": 3, "A": 4},
        "of a megabyte": {"text": "é" * (_MEGABYTE // 2 - 20)},
    }
    return {name: Event.from_dict(dictionary) for name, dictionary in dictionaries.items()}


def unusual_ids() -> list[Event]:
    """Return events with the ids that applications give."""
    ids = [
        uuid.uuid4().hex,
        f"order 17/{uuid.uuid4().hex}:a,b;c='\"",
        f"żółw-龜-{uuid.uuid4().hex}",
        (uuid.uuid4().hex * 8)[:255],
    ]
    return [
        Event.from_dict({"sender_id": _CONVERSATION, "mark": uuid.uuid4().hex}, event_id)
        for event_id in ids
    ]


def with_headers() -> list[Event]:
    """Return events with headers that were given, and with none."""
    given = {"environment": "conformance", "x-unicode": "żółw 龜", "X-Case": "As Given"}
    dictionaries = [
        {"sender_id": _CONVERSATION, "event": kind, "mark": uuid.uuid4().hex}
        for kind in ("user", "bot")
    ]
    return [
        Event.from_dict(dictionaries[0], headers=given),
        Event.from_dict(dictionaries[1]),
    ]


def headers_of(published: Sequence[Event]) -> dict[str, dict[str, str]]:
    """Return the headers that events have to arrive with, by their ids."""
    return {
        event.id: {name: text for name, text in event.headers.items() if name != "event_id"}
        for event in published
    }


def by_folded_name(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers as they are looked up: some brokers, such as HTTP's, fold their names."""
    return {name.casefold(): text for name, text in headers.items()}


def as_large_as(size: int) -> list[Event]:
    """Return events of a megabyte each that are no larger together.

    Parameters:
        size: bytes.
    """
    events = numbered(size // _MEGABYTE, text="x" * (_MEGABYTE - 300))
    assert sum(event.size for event in events) <= size
    return events


def without_the_usual() -> dict[str, Event]:
    """Return events that lack what most have, by what they lack."""
    mark = uuid.uuid4().hex
    return {
        "sender_id": Event.from_dict({"event": "user", "mark": f"{mark}-1"}),
        "event": Event.from_dict({"sender_id": _CONVERSATION, "mark": f"{mark}-2"}),
        "sender_id and event": Event.from_dict({"mark": f"{mark}-3"}),
        "a sender_id that is text": Event.from_dict({"sender_id": {"a": 1}, "mark": f"{mark}-4"}),
    }
