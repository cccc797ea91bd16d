"""What a transaction on the spool's tables is made of; the totals change with the rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any
from zlib import crc32

import msgspec

from event_brokers.buffer import DeadLetter
from event_brokers.event import Event
from event_brokers.spool.database import Damaged

EVENT = "event_id, body, sender_id, type, timestamp, checksum"
LETTER = f"{EVENT}, reason, buried_at, attempts"
_EventRow = tuple[str, bytes, str | None, str | None, float | None, int]
_BurialRow = tuple[str, float, int]
_ALTERED = "a row is not what was written"


class Totals(msgspec.Struct, frozen=True):
    """How many events are where, over all processes, since the spool was made."""

    pending: int
    dead_letters: int
    delivered: int


def totals(connection: sqlite3.Connection) -> Totals:
    """Return the totals."""
    return Totals(
        *connection.execute("SELECT pending, dead_letters, delivered FROM totals").fetchone()
    )


def insert(connection: sqlite3.Connection, events: Sequence[Event]) -> int:
    """Add events at the end, but for those whose id is known; return how many were added."""
    now = time.time()
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO events ({EVENT}, accepted_at) SELECT ?, ?, ?, ?, ?, ?, ? "
        "WHERE NOT EXISTS (SELECT 1 FROM dead_letters WHERE event_id = ?1) "
        "ON CONFLICT (event_id) DO NOTHING",
        [(*_values(event), now) for event in events],
    )
    added = connection.total_changes - before
    _count(connection, pending=added)
    return added


def known(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Return how many of the ids belong to events that are there."""
    found = 0
    for event_id in ids:
        found += bool(
            connection.execute(
                "SELECT 1 FROM events WHERE event_id = ?1 "
                "UNION ALL SELECT 1 FROM dead_letters WHERE event_id = ?1",
                (event_id,),
            ).fetchone()
        )
    return found


def oldest(connection: sqlite3.Connection, limit: int, size: int) -> list[Event]:
    """Return the first events, up to `limit` of them and `size` bytes of bodies, one at least."""
    events: list[Event] = []
    for row in connection.execute(f"SELECT {EVENT} FROM events ORDER BY seq LIMIT ?", (limit,)):
        event = event_of(row)
        size -= len(event.body)
        if size < 0 and events:
            break
        events.append(event)
    return events


def ends(connection: sqlite3.Connection) -> tuple[int, int] | None:
    """Return the numbers of the first and the last pending event; None without one."""
    first, last = connection.execute(
        "SELECT (SELECT min(seq) FROM events), (SELECT max(seq) FROM events)"
    ).fetchone()
    return None if first is None else (first, last)


def oldest_time(connection: sqlite3.Connection) -> float | None:
    """Return when the first pending event was accepted, seconds since 1970; None without one."""
    found = connection.execute("SELECT accepted_at FROM events ORDER BY seq LIMIT 1").fetchone()
    return None if found is None else found[0]


def remove(connection: sqlite3.Connection, ids: Collection[str]) -> int:
    """Let go of delivered events; return how many there were."""
    removed = _delete(connection, "events", ids)
    if removed < len(ids) and not _is_sound(connection):
        raise Damaged("its index has lost events")
    _count(connection, pending=-removed, delivered=removed)
    return removed


def bury(connection: sqlite3.Connection, letters: Sequence[DeadLetter]) -> int:
    """Turn pending events into dead letters; return how many there were."""
    buried = 0
    for letter in letters:
        if _delete(connection, "events", [letter.event.id]):
            connection.execute(
                f"INSERT INTO dead_letters ({LETTER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (*_values(letter.event), letter.reason, letter.time, letter.attempts),
            )
            buried += 1
    _count(connection, pending=-buried, dead_letters=buried)
    return buried


def revive(connection: sqlite3.Connection, ids: Sequence[str]) -> int:
    """Put dead letters at the end of the pending events; return how many there were."""
    revived = 0
    for event_id in ids:
        revived += connection.execute(
            f"INSERT INTO events ({EVENT}, accepted_at) SELECT {EVENT}, ? FROM dead_letters "
            "WHERE event_id = ?",
            (time.time(), event_id),
        ).rowcount
    _delete(connection, "dead_letters", ids)
    _count(connection, pending=revived, dead_letters=-revived)
    return revived


def drop(connection: sqlite3.Connection, ids: Collection[str]) -> int:
    """Forget dead letters and pending events; return how many there were."""
    buried = _delete(connection, "dead_letters", ids)
    pending = _delete(connection, "events", ids)
    _count(connection, pending=-pending, dead_letters=-buried)
    return buried + pending


def add_delivered(connection: sqlite3.Connection, count: int) -> None:
    """Count events that were delivered before the file was made."""
    _count(connection, delivered=count)


def pending_events(connection: sqlite3.Connection) -> Iterator[Event]:
    """Read every pending event in order."""
    for row in connection.execute(f"SELECT {EVENT} FROM events ORDER BY seq"):
        yield event_of(row)


def dead_letters(connection: sqlite3.Connection) -> Iterator[DeadLetter]:
    """Read every dead letter, oldest first."""
    for row in connection.execute(f"SELECT {LETTER} FROM dead_letters ORDER BY seq"):
        yield letter_of(row)


def find(connection: sqlite3.Connection, event_id: str) -> Event | DeadLetter | None:
    """Return a pending event or a dead letter; None where the id is unknown."""
    pending = f"SELECT {EVENT} FROM events WHERE event_id = ?"
    if row := connection.execute(pending, (event_id,)).fetchone():
        return event_of(row)
    buried = f"SELECT {LETTER} FROM dead_letters WHERE event_id = ?"
    if row := connection.execute(buried, (event_id,)).fetchone():
        return letter_of(row)
    return None


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold something."""
    return _pragma(connection, "page_count") * _page_bytes(connection) - free_bytes(connection)


def free_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold nothing."""
    return _pragma(connection, "freelist_count") * _page_bytes(connection)


def shrink(connection: sqlite3.Connection, pages: int) -> int:
    """Cut free pages off the file, up to so many; return how many are free still."""
    connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
    return free_bytes(connection)


def _page_bytes(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def event_of(row: Sequence[Any]) -> Event:
    """Return the event of a row.

    Raises:
        Damaged: the row is not what was written.
    """
    *values, checksum = _converted(row, _EventRow)
    event = Event(*values)
    if _checksum(event) != checksum:
        raise Damaged(_ALTERED)
    return event


def letter_of(row: Sequence[Any]) -> DeadLetter:
    """Return the dead letter of a row.

    Raises:
        Damaged: the row is not what was written.
    """
    return DeadLetter(event_of(row[:6]), *_converted(row[6:], _BurialRow))


def _converted(row: Sequence[Any], wanted: Any) -> Sequence[Any]:
    """Return the row, if its cells have the types they were written with."""
    try:
        converted: Sequence[Any] = msgspec.convert(row, wanted)
    except msgspec.ValidationError as error:
        raise Damaged(_ALTERED) from error
    return converted


def _values(event: Event) -> tuple[str | bytes | float | None, ...]:
    checksum = _checksum(event)
    return event.id, event.body, event.sender_id, event.type, event.timestamp, checksum


def _checksum(event: Event) -> int:
    beside = f"{event.id} {event.sender_id} {event.type} {event.timestamp}"
    return crc32(event.body, crc32(beside.encode()))


def _is_sound(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")


def _delete(connection: sqlite3.Connection, table: str, ids: Collection[str]) -> int:
    before = connection.total_changes
    connection.executemany(f"DELETE FROM {table} WHERE event_id = ?", [(id_,) for id_ in ids])
    return connection.total_changes - before


def _count(
    connection: sqlite3.Connection, pending: int = 0, dead_letters: int = 0, delivered: int = 0
) -> None:
    connection.execute(
        "UPDATE totals SET pending = pending + ?, dead_letters = dead_letters + ?, "
        "delivered = delivered + ?",
        (pending, dead_letters, delivered),
    )
