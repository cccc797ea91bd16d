"""The Event that travels from `publish` to the broker; the only place that makes JSON."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers.errors import InvalidEvent

_ID_BYTES = 255  # an AMQP short string, the narrowest place an id has to fit
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Event(msgspec.Struct, frozen=True, gc=False):
    """One conversation event, ready to be sent.

    Attributes:
        id: stays with the event wherever it goes; a UUIDv7 unless the caller gave one.
        body: the caller's dictionary as JSON in UTF-8, and nothing else.
        sender_id: the conversation, where the dictionary names one; the key for ordering.
        type: the dictionary's `event`, such as "user" or "bot", where it has one.
        timestamp: the dictionary's `timestamp`, seconds since 1970, where it has one.
    """

    id: str
    body: bytes
    sender_id: str | None = None
    type: str | None = None
    timestamp: float | None = None

    @classmethod
    def from_dict(cls, event: Mapping[str, Any], event_id: str | None = None) -> Event:
        """Return the event that carries a dictionary, which is not looked at again afterwards.

        Parameters:
            event: what the application hands over; any JSON object.
            event_id: the event's id, 1 to 255 bytes of UTF-8; a new UUIDv7 if None.

        Raises:
            InvalidEvent: JSON cannot say it (NaN, infinity, lone surrogates, other types than
                dict, list, tuple, str, int, float, bool and None), or the id is not usable.
        """
        if not isinstance(event, dict):
            raise InvalidEvent(f"event: {_type_name(event)} is not a dictionary")
        body = _to_json(event)
        return cls(
            id=new_id() if event_id is None else _checked_id(event_id),
            body=body,
            sender_id=_text(event.get("sender_id")),
            type=_text(event.get("event")),
            timestamp=_seconds(event.get("timestamp")),
        )

    @property
    def headers(self) -> dict[str, str]:
        """What travels beside the body where a broker has headers."""
        headers = {"event_id": self.id}
        if self.type is not None:
            headers["event_type"] = self.type
        return headers


def parse(body: bytes) -> tuple[dict[str, Any] | None, str | None]:
    """Return the dictionary that a body is, or None and why it is none, without its content.

    Parameters:
        body: as it came from a broker.
    """
    try:
        event = _decode(body)
    except UnicodeDecodeError:
        return None, "not UTF-8"
    except RecursionError:
        return None, "nested too deeply"
    except msgspec.DecodeError:
        return None, "not JSON"
    if not isinstance(event, dict):
        return None, f"JSON, but {_type_name(event)} and no object"
    return event, None


def _text(value: object) -> str | None:
    if isinstance(value, str):
        return str.__str__(value)  # an enumeration's own __str__ would give its name
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _seconds(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _checked_id(event_id: object) -> str:
    if not isinstance(event_id, str):
        raise InvalidEvent(f"event_id: {_type_name(event_id)} is not text")
    if not event_id.isprintable() or not 1 <= len(event_id.encode()) <= _ID_BYTES:
        raise InvalidEvent(f"event_id: give 1 to {_ID_BYTES} bytes of printable text")
    if event_id != event_id.strip():
        # MySQL compares without blanks at the end, and would take two ids for one
        raise InvalidEvent("event_id: give text that neither begins nor ends with a blank")
    return event_id


def _to_json(event: dict[str, Any]) -> bytes:
    # msgspec writes NaN as null and knows more types than JSON: reading its work back and
    # comparing, both in C, finds every such case without walking the event in Python
    try:
        body = _encode(event)
        if _decode(body) == event:
            return body
    except (TypeError, ValueError, OverflowError, RecursionError):
        pass  # the walk below finds the place, or the plain types to write instead
    try:
        return json.dumps(
            _plain(event, "event"), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        ).encode()
    except RecursionError:
        raise InvalidEvent("event: is nested too deeply, or contains itself") from None


def _plain(value: Any, path: str) -> Any:
    """Return the value in the exact types of JSON, or raise InvalidEvent with its path."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _plain_text(value, path)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidEvent(f"{path}: NaN and infinity have no JSON")
        return float(value)
    if isinstance(value, dict):
        return {_plain_key(key, path): _plain(item, f"{path}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{path}[{index}]") for index, item in enumerate(value)]
    raise InvalidEvent(f"{path}: {_type_name(value)} has no JSON")


def _plain_key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise InvalidEvent(f"{path}: a key is {_type_name(key)}; JSON wants text")
    return _plain_text(key, path)


def _plain_text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidEvent(f"{path}: a lone surrogate has no UTF-8") from None
    return str.__str__(text)


def _type_name(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


class _TimeOrderedIds:
    """Makes UUIDv7 as in RFC 9562, section 6.2.

    The 74 bits behind the time are random for the first id of a millisecond and count up for the
    others, so that ids of one process sort in the order in which they were made.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._milliseconds = 0
        self._counter = 0

    def new(self) -> str:
        with self._lock:
            now = time.time_ns() // 1_000_000
            # a clock that was set back must not bring back ids that are behind us
            if now > self._milliseconds:
                self._milliseconds = now
                # the highest of the 74 bits stays free, so that counting up has room
                self._counter = int.from_bytes(os.urandom(10), "big") >> 7
            else:
                self._counter += 1
            milliseconds, counter = self._milliseconds, self._counter
        high, low = counter >> 62, counter & ((1 << 62) - 1)
        text = f"{milliseconds << 80 | 7 << 76 | high << 64 | 2 << 62 | low:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_ids = _TimeOrderedIds()


def new_id() -> str:
    """Return a new UUIDv7; later ids of one process sort behind earlier ones."""
    return _ids.new()


def _forget_ids_after_fork() -> None:
    global _ids
    _ids = _TimeOrderedIds()


if hasattr(os, "register_at_fork"):  # Windows knows no fork
    os.register_at_fork(after_in_child=_forget_ids_after_fork)
