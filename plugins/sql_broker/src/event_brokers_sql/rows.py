"""An event as a row of the table, and back."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

import msgspec
import sqlalchemy
from sqlalchemy import Table

from event_brokers.plugin import Event, ReceivedEvent

Row: TypeAlias = tuple[Any, ...]  # a value for each of a RowMaker's columns

_encode = msgspec.json.Encoder().encode
_decode_headers = msgspec.json.Decoder(dict[str, str]).decode


class RowMaker:
    """Makes the rows of one table.

    Parameters:
        table: as it is in the database.
        holds_unicode: whether its column `data` takes every character.

    Attributes:
        columns: those that a row has values for, in the order of the table.
    """

    def __init__(self, table: Table, holds_unicode: bool) -> None:
        self._holds_unicode = holds_unicode
        self._has_headers = "headers" in table.c
        self.columns = tuple(table.c.keys()[1:])  # without the id, which the database gives

    def make(self, event: Event) -> Row:
        """Return the row that holds an event."""
        body = event.body.decode() if self._holds_unicode else _escape(event.body)
        row = (event.sender_id, body, event.id, _find_type(event), event.timestamp)
        return (*row, _write_headers(event.given_headers)) if self._has_headers else row


def read_row(row: sqlalchemy.Row[Any], table: Table) -> ReceivedEvent:
    """Return the event that a row holds.

    Parameters:
        row: with every column of the table.
        table: it stands in.
    """
    of_the_core = {"event_id": row.event_id, "event_type": row.type_name}
    return ReceivedEvent.from_body(
        (row.data or "").encode(),
        f"table '{table.name}', id {row.id}",
        row.event_id,
        _read_headers(row) | {name: text for name, text in of_the_core.items() if text is not None},
    )


def _find_type(event: Event) -> str | None:
    """Return the type as the headers of other brokers have it, without control characters."""
    if event.type is None or event.type.isprintable():
        return event.type
    return event.headers["event_type"]


def _write_headers(given: dict[str, str]) -> str | None:
    return _escape(_encode(given)) if given else None


def _read_headers(row: sqlalchemy.Row[Any]) -> dict[str, str]:
    written = getattr(row, "headers", None)
    try:
        return _decode_headers(written) if written else {}
    except msgspec.DecodeError:
        return {}  # somebody else's


def _escape(body: bytes) -> str:
    """Return the same JSON with an escape for every character that is not ASCII."""
    return json.dumps(json.loads(body), separators=(",", ":"))
