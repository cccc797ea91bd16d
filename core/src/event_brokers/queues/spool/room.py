"""The room of a spool: what is refused because it is used up, and how it goes back to the disk."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from event_brokers.errors import ConfigurationError, QueueFull
from event_brokers.event import Event
from event_brokers.queues.protocol import DeadLetter
from event_brokers.queues.spool import tables
from event_brokers.queues.spool.database import Database

_LARGE_LOG_BYTES = 64 * 1024 * 1024  # a log is brought into the file when it has 4 MiB


class Bounds(msgspec.Struct, frozen=True):
    """What a spool may take.

    Attributes:
        max_pending: events that may wait; None for no limit.
        max_bytes: bytes of the file that may be used, but for dead letters.
        max_dead_letter_bytes: bytes that dead letters may take.
    """

    max_pending: int | None
    max_bytes: int
    max_dead_letter_bytes: int


def refuse_excess_events(
    connection: sqlite3.Connection, bounds: Bounds, events: Sequence[Event], database: Database
) -> None:
    """Look whether there is room for events; those that are known already need none.

    Parameters:
        connection: in the transaction that is to store them.
        bounds: of the spool.
        events: that are to be stored.
        database: where the transaction is.

    Raises:
        QueueFull: there is none.
    """
    if bounds.max_pending is not None:
        _refuse_excess_number(connection, bounds.max_pending, events)
    more = sum([event.size for event in events])
    # cheaper to tell than how much of the file is used
    if database.size + _LARGE_LOG_BYTES + more <= bounds.max_bytes:
        return
    if database.size + database.log_size() + more <= bounds.max_bytes:
        return
    used = used_bytes(connection) - tables.totals(connection).dead_letter_bytes
    if used + more > bounds.max_bytes:
        raise QueueFull(
            f"{used} bytes of the spool are used and delivery.max_bytes is {bounds.max_bytes}"
        )


def refuse_excess_letters(
    connection: sqlite3.Connection, bounds: Bounds, letters: Sequence[DeadLetter]
) -> None:
    """Look whether there is room for dead letters.

    Raises:
        ConfigurationError: there is none; says how to make some.
    """
    kept = tables.totals(connection).dead_letter_bytes
    more = sum([letter.event.size for letter in letters])
    if kept + more <= bounds.max_dead_letter_bytes:
        return
    pending = tables.pending_among(connection, [letter.event for letter in letters])
    more = sum([event.size for event in pending])
    if kept + more > bounds.max_dead_letter_bytes:
        raise ConfigurationError(
            f"event_broker.delivery.max_dead_letter_bytes: {kept} bytes of dead letters are kept, "
            f"{more} more would exceed {bounds.max_dead_letter_bytes}; 'event-brokers spool "
            "export' writes them into a file, 'event-brokers spool drop' makes room, and delivery "
            "goes on by itself"
        )


def used_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold something."""
    return _pragma(connection, "page_count") * _page_bytes(connection) - free_bytes(connection)


def free_bytes(connection: sqlite3.Connection) -> int:
    """Return the bytes of the file that hold nothing."""
    return _pragma(connection, "freelist_count") * _page_bytes(connection)


def _refuse_excess_number(
    connection: sqlite3.Connection, most: int, events: Sequence[Event]
) -> None:
    pending = tables.totals(connection).pending
    if pending + len(events) <= most:
        return
    ids = {event.id for event in events}
    new = len(ids) - tables.count_known(connection, ids)
    if new and pending + new > most:
        raise QueueFull(f"{pending} events wait and delivery.max_pending is {most}")


def _page_bytes(connection: sqlite3.Connection) -> int:
    return _pragma(connection, "page_size")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
