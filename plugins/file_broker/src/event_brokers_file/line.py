"""What a line of the file is: the event's own object, with one key more at its end."""

from __future__ import annotations

import msgspec

from event_brokers.plugin import Event, ReceivedEvent

KEY = b'"event_broker":'
_BEGIN = KEY + b'{"id":'


class _Mark(msgspec.Struct, omit_defaults=True, forbid_unknown_fields=True):
    """What stands under the key: the event's id, and what travels beside its body."""

    id: str
    type: str | None = None
    headers: dict[str, str] = {}


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Mark).decode


def to_line(event: Event, with_id: bool) -> bytes:
    r"""Return the line that an event is, with its end.

    JSON has line ends between its tokens alone, and the core writes none there; those of texts are
    \n. So a body never reaches over several lines.

    Parameters:
        event: whose body becomes the line.
        with_id: whether the line has the key with its id, type and headers.
    """
    if not with_id:
        return event.body + b"\n"
    headers = event.headers
    mark = _Mark(headers.pop("event_id"), headers.pop("event_type", None), headers)
    comma = b"" if event.body == b"{}" else b","
    return b"".join((event.body[:-1], comma, KEY, _encode(mark), b"}\n"))


def from_line(line: bytes, origin: str) -> ReceivedEvent:
    """Return the event that a line is, also one that somebody else has written.

    Parameters:
        line: without its end.
        origin: where it stood, in words.
    """
    body, mark = _split(line)
    if mark is None:
        return ReceivedEvent.from_body(body, origin)
    headers = {**mark.headers, "event_id": mark.id}
    if mark.type is not None:
        headers["event_type"] = mark.type
    return ReceivedEvent.from_body(body, origin, mark.id, headers)


def is_whole(line: bytes) -> bool:
    """Return whether a line without an end is an object all the same."""
    return ReceivedEvent.from_body(line, "").event is not None


def _split(line: bytes) -> tuple[bytes, _Mark | None]:
    """Return the body byte for byte as it was published, and what stands under the key."""
    # a text of the body cannot hold it: there a quotation mark has a backslash before it
    begin = line.rfind(_BEGIN)
    if begin < 0 or not line.endswith(b"}"):
        return line, None
    try:
        mark = _decode(line[begin + len(KEY) : -1])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return line, None
    return line[:begin].removesuffix(b",") + b"}", mark
