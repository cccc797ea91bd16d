"""How large an event may be where the database's protocol has a limit of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, text

from event_brokers.plugin import RejectedEvents

_ROOM = 64 * 1024  # bytes of a statement beside the body and the headers
_ESCAPED = (b'"', b"'", b"\\", b"\n")  # in the statement's text each takes one byte more
_MOST_BYTES_OF_A_CHARACTER = 4


def largest_statement(connection: Connection) -> int | None:
    """Return the bytes that a statement may have; None where there is no such limit.

    A longer one ends a MySQL connection in mid-sentence, and nothing says why:
    https://dev.mysql.com/doc/refman/8.0/en/packet-too-large.html
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        return None
    return int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())


def refuse_too_large(rows: Sequence[Mapping[str, Any]], largest: int | None) -> None:
    """Do nothing where every row fits into a statement.

    Parameters:
        rows: of a batch.
        largest: bytes that a statement may have; None for any number.

    Raises:
        RejectedEvents: some of them never will; names these alone.
    """
    if largest is None:
        return
    # a look at the length spares nearly every row the counting
    may_be_too_large = [
        row for row in rows if _MOST_BYTES_OF_A_CHARACTER * len(_text(row)) + _ROOM > largest
    ]
    sizes = {row["event_id"]: _size(row) for row in may_be_too_large}
    reasons = {
        event_id: f"its statement would take {size} bytes, and the database's "
        f"max_allowed_packet is {largest}"
        for event_id, size in sizes.items()
        if size > largest
    }
    if reasons:
        raise RejectedEvents(reasons)


def _size(row: Mapping[str, Any]) -> int:
    """Return the bytes of the statement that stores a row."""
    written = _text(row).encode()
    return len(written) + sum(map(written.count, _ESCAPED)) + _ROOM


def _text(row: Mapping[str, Any]) -> str:
    headers = row.get("headers")
    return f"{row['data']}{headers}" if headers else str(row["data"])
