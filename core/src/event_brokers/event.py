"""The Event that travels from `publish` to the broker, and comes back; the only place for JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from event_brokers import instrumentation
from event_brokers.errors import InvalidEvent
from event_brokers.event_ids import new_id
from event_brokers.headers import checked, weight, without_control_characters

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
        given_headers: what the caller wants to travel beside the body.
    """

    id: str
    body: bytes
    sender_id: str | None = None
    type: str | None = None
    timestamp: float | None = None
    given_headers: dict[str, str] = {}

    @classmethod
    def from_dict(
        cls,
        event: Mapping[str, Any],
        event_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Event:
        """Return the event that carries a dictionary, which is not looked at again afterwards.

        Parameters:
            event: what the application hands over; any JSON object.
            event_id: the event's id, 1 to 255 bytes of UTF-8; a new UUIDv7 if None.
            headers: text to text, to travel beside the body.

        Raises:
            InvalidEvent: JSON cannot say it (NaN, infinity, lone surrogates, other types than
                dict, list, tuple, str, int, float, bool and None), or the id or a header is not
                usable.
        """
        if not isinstance(event, dict):
            event = _dictionary(event)
        body, given = _to_json(event), checked(headers)
        is_active = instrumentation.is_active
        return cls(
            id=new_id() if event_id is None else _checked_id(event_id),
            body=body,
            sender_id=_text(event.get("sender_id")),
            type=_text(event.get("event")),
            timestamp=_seconds(event.get("timestamp")),
            given_headers=(
                instrumentation.with_context(given, checked)
                if is_active is not None and is_active()
                else given
            ),
        )

    @property
    def headers(self) -> dict[str, str]:
        """What travels beside the body where a broker has headers."""
        headers = {**self.given_headers, "event_id": self.id}
        if self.type is not None:
            headers["event_type"] = without_control_characters(self.type)
        return headers

    @property
    def size(self) -> int:
        """The bytes that it takes: those of its body and of the headers that were given."""
        return len(self.body) + (weight(self.given_headers) if self.given_headers else 0)

    def __repr__(self) -> str:
        # a plugin's f-string must not carry a conversation into a log
        return f"Event(id={self.id!r}, type={self.type!r}, {self.size} bytes)"


class ReceivedEvent(msgspec.Struct, frozen=True):
    """One message as it came from a broker.

    Attributes:
        body: the bytes that were published.
        origin: where it stood: "topic 'x', partition 0, offset 12".
        id: the event's id; None where whoever published it gave none.
        headers: what travelled beside the body, where the broker has headers.
        event: the dictionary; None where the body is none.
        problem: why the body is no event, without its content; None where it is one.
    """

    body: bytes
    origin: str
    id: str | None = None
    headers: dict[str, str] = {}
    event: dict[str, Any] | None = None
    problem: str | None = None

    @classmethod
    def from_body(
        cls,
        body: bytes,
        origin: str,
        id: str | None = None,  # noqa: A002 - the attribute's name
        headers: Mapping[str, str] | None = None,
    ) -> ReceivedEvent:
        """Return the event that a body is; one that is no event keeps its bytes and the reason.

        Parameters:
            body: as received.
            origin: where it stood, in words.
            id: the event's id; what the header `event_id` says unless given. An empty one is none.
            headers: what travelled beside the body.
        """
        event, problem = parse(body)
        beside = dict(headers or {})
        return cls(body, origin, id or beside.get("event_id") or None, beside, event, problem)

    def __repr__(self) -> str:
        return f"ReceivedEvent(id={self.id!r}, origin={self.origin!r}, {len(self.body)} bytes)"


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


def without_lone_surrogates(text: str) -> str:
    """Return the text with U+FFFD for what UTF-8 cannot say.

    Parameters:
        text: any; two surrogates that are one character become that character.
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str.__str__(text)


def _dictionary(event: object) -> dict[str, Any]:
    if not isinstance(event, Mapping):
        raise InvalidEvent(f"event: {_type_name(event)} is not a dictionary")
    return dict(event)


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
    return str.__str__(event_id)


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
