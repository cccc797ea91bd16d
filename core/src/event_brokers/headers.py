"""The headers that an application gives to an event: which are taken, and what they weigh."""

from __future__ import annotations

import re
from collections.abc import Mapping

from event_brokers.errors import InvalidEvent

RESERVED = frozenset({"event_id", "event_type"})  # the core's own
_LONGEST_NAME = 128  # characters of a field name: AMQP 0-9-1, section 4.2.5.5
_MOST_BYTES = 32 * 1024  # AMQP sends the headers of a message in one frame, of 128 KiB at most
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def checked(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Return a copy of the headers.

    Parameters:
        headers: name -> value; None is none.

    Raises:
        InvalidEvent: a name is reserved or too long, something is not text, or holds a control
            character, or all of them together are too large.
    """
    if not headers:
        return {}
    if not isinstance(headers, Mapping):
        raise InvalidEvent("headers: give a mapping of text to text")
    taken = {_name(name): _value(name, value) for name, value in headers.items()}
    if weight(taken) > _MOST_BYTES:
        raise InvalidEvent(f"headers: are larger than {_MOST_BYTES} bytes")
    return taken


def weight(headers: Mapping[str, str]) -> int:
    """Return the bytes that names and values take in UTF-8."""
    return sum(len(name.encode()) + len(value.encode()) for name, value in headers.items())


def without_control_characters(text: str) -> str:
    """Return the text as it may stand in a header, where a line break could forge another one."""
    return _CONTROL.sub("", text)


def _name(name: object) -> str:
    if not isinstance(name, str) or not 1 <= len(name) <= _LONGEST_NAME:
        raise InvalidEvent(f"headers: a name must be text of 1 to {_LONGEST_NAME} characters")
    if name.casefold() in RESERVED:
        raise InvalidEvent(f"headers: '{name}' is set by event-brokers itself; name it otherwise")
    return _text(name, "a name")


def _value(name: object, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidEvent(f"headers: the value of {_shown(name)} is not text")
    return _text(value, f"the value of {_shown(name)}")


def _text(text: str, what: str) -> str:
    if _CONTROL.search(text):
        raise InvalidEvent(f"headers: {what} holds a control character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidEvent(f"headers: {what} holds a lone surrogate, which has no UTF-8") from None
    return str.__str__(text)


def _shown(name: object) -> str:
    return f"'{name}'" if isinstance(name, str) and name.isprintable() else "one of them"
