"""How large an event may be where the database's protocol has a limit of its own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from event_brokers.plugin import Event, RejectedEvents
from event_brokers_sql.rows import Row

_ROOM = 64 * 1024  # bytes of a statement beside the row's texts
_ESCAPED = (b'"', b"'", b"\\", b"\n")  # in the statement's text each takes one byte more
# sender and type stand beside the body, and all of them may have to be escaped
_MOST_BYTES_OF_A_BYTE = 6


def largest_statement(connection: Connection) -> int | None:
    """Return the bytes that a statement may have; None where there is no such limit.

    A longer one ends a MySQL connection in mid-sentence, and nothing says why:
    https://dev.mysql.com/doc/refman/8.0/en/packet-too-large.html
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        return None
    return int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())


def refuse_too_large(events: Sequence[Event], rows: Sequence[Row], largest: int | None) -> None:
    """Do nothing where every row fits into a statement.

    Parameters:
        events: of a batch.
        rows: that hold them.
        largest: bytes that a statement may have; None for any number.

    Raises:
        RejectedEvents: some of them never will; names these alone.
    """
    if largest is None:
        return
    # a look at the event's length spares nearly every row the counting
    sizes = {
        event.id: _size(row)
        for event, row in zip(events, rows, strict=True)
        if _MOST_BYTES_OF_A_BYTE * event.size + _ROOM > largest
    }
    reasons = {
        event_id: f"its statement would take {size} bytes, and the database's "
        f"max_allowed_packet is {largest}"
        for event_id, size in sizes.items()
        if size > largest
    }
    if reasons:
        raise RejectedEvents(reasons)


def _size(row: Row) -> int:
    """Return the bytes of the statement that stores a row."""
    written = "".join(value for value in row if isinstance(value, str)).encode()
    return len(written) + sum(map(written.count, _ESCAPED)) + _ROOM
