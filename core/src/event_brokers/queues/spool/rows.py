"""Events and dead letters as rows of the spool's tables, and the rows as events again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import msgspec

from event_brokers.event import Event
from event_brokers.queues.protocol import DeadLetter
from event_brokers.queues.spool.database import Damaged

EVENT = "event_id, body, sender_id, type, timestamp, headers, checksum"
LETTER = f"{EVENT}, reason, buried_at, attempts"
_EVENT_CELLS = 7
_ALTERED = "a row is not what was written"
_headers_of = msgspec.json.Decoder(dict[str, str]).decode
_to_json = msgspec.json.Encoder().encode

Cell = str | bytes | float | None


class _EventCells(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """The cells of EVENT; a struct, for `msgspec.convert` works out any other type at each call."""

    id: str
    body: bytes
    sender_id: str | None
    type: str | None
    timestamp: float | None
    headers: str | None
    checksum: int


class _BurialCells(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """Those that LETTER has besides."""

    reason: str
    buried_at: float
    attempts: int


def cells_of(event: Event) -> tuple[Cell, ...]:
    """Return the cells of EVENT."""
    headers = _to_json(event.given_headers).decode() if event.given_headers else None
    checksum = _checksum(event, headers)
    return (
        event.id, event.body, event.sender_id, event.type, event.timestamp, headers, checksum,
    )  # fmt: skip


def event_of(cells: Sequence[Any]) -> Event:
    """Return the event of a row of EVENT.

    Raises:
        Damaged: the row is not what was written.
    """
    try:
        row = msgspec.convert(cells, _EventCells)
        given = _headers_of(row.headers) if row.headers else {}
        event = Event(row.id, row.body, row.sender_id, row.type, row.timestamp, given)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise Damaged(_ALTERED) from error
    if _checksum(event, row.headers) != row.checksum:
        raise Damaged(_ALTERED)
    return event


def letter_of(cells: Sequence[Any]) -> DeadLetter:
    """Return the dead letter of a row of LETTER.

    Raises:
        Damaged: the row is not what was written.
    """
    event = event_of(cells[:_EVENT_CELLS])
    try:
        burial = msgspec.convert(cells[_EVENT_CELLS:], _BurialCells)
    except msgspec.ValidationError as error:
        raise Damaged(_ALTERED) from error
    return DeadLetter(event, burial.reason, burial.buried_at, burial.attempts)


def _checksum(event: Event, headers: str | None) -> int:
    beside = f"{event.id} {event.sender_id} {event.type} {event.timestamp}"
    if headers is not None:
        beside += f" {headers}"
    return crc32(event.body, crc32(beside.encode()))
