"""How large an event may be where the database's protocol has a limit of its own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from event_brokers import Event, RejectedEvents

_ROOM = 64 * 1024  # bytes of a statement beside the body
_ESCAPED = (b'"', b"'", b"\\", b"\n")  # in the statement's text each takes one byte more


def largest_statement(connection: Connection) -> int | None:
    """Return the bytes that a statement may have; None where there is no such limit.

    A longer one ends a MySQL connection in mid-sentence, and nothing says why:
    https://dev.mysql.com/doc/refman/8.0/en/packet-too-large.html
    """
    if connection.dialect.name not in ("mysql", "mariadb"):
        return None
    return int(connection.execute(text("SELECT @@max_allowed_packet")).scalar_one())


def refuse_too_large(events: Sequence[Event], largest: int | None) -> None:
    """Do nothing where every event fits into a statement.

    Parameters:
        events: a batch.
        largest: bytes that a statement may have; None for any number.

    Raises:
        RejectedEvents: some of them never will; names these alone.
    """
    if largest is None:
        return
    # a look at the length spares nearly every event the counting
    sizes = {each.id: _size(each) for each in events if 2 * len(each.body) + _ROOM > largest}
    reasons = {
        event_id: f"its statement would take {size} bytes, and the database's "
        f"max_allowed_packet is {largest}"
        for event_id, size in sizes.items()
        if size > largest
    }
    if reasons:
        raise RejectedEvents(reasons)


def _size(event: Event) -> int:
    """Return the bytes of the statement that stores an event."""
    return len(event.body) + sum(map(event.body.count, _ESCAPED)) + _ROOM
