"""The events that are measured: 304 bytes of JSON, with a number by which each is known again."""

from __future__ import annotations

from typing import Any

SENDERS = 100
_BYTES = 304
# what {"sender_id":"...","timestamp":...,"event":"user","number":...,"text":"..."} takes by itself
_AROUND = len('{"sender_id":"","timestamp":,"event":"user","number":,"text":""}')


def numbered(first: int, count: int, senders: int = SENDERS) -> list[dict[str, Any]]:
    """Return events with numbers that follow one another.

    Parameters:
        first: the number of the first one.
        count: how many.
        senders: conversations that take turns.
    """
    return [_event(number, senders) for number in range(first, first + count)]


def _event(number: int, senders: int) -> dict[str, Any]:
    sender, timestamp = f"conversation-{number % senders}", 1528402837.617099 + number
    room = _BYTES - _AROUND - len(sender) - len(repr(timestamp)) - len(str(number))
    return {
        "sender_id": sender, "timestamp": timestamp, "event": "user", "number": number,
        "text": "x" * room,
    }  # fmt: skip
