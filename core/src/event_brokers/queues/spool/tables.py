"""What a transaction on the spool's tables is made of; the counts change with the rows."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from event_brokers.event import Event
from event_brokers.queues.protocol import Counts, DeadLetter
from event_brokers.queues.spool.database import Damaged
from event_brokers.queues.spool.rows import EVENT, LETTER, cells_of, event_of, letter_of
from event_brokers.queues.spool.schema import DESTINATION

_HIGHEST = """
SELECT max(coalesce((SELECT max(seq) FROM events), 0), highest) FROM destinations
"""
# A number is given once: behind the highest that stands there or has left. What is a dead letter
# already would become a row without an id, which may not be, and is ignored as a second row with
# the same id is.
_INSERT = f"""
INSERT OR IGNORE INTO events (seq, {EVENT}, accepted_at) VALUES (
    ({_HIGHEST}) + 1,
    CASE WHEN EXISTS (SELECT 1 FROM dead_letters WHERE event_id = ?) THEN NULL ELSE ? END,
    ?, ?, ?, ?, ?, ?, ?
)
"""
# The same for many rows with known numbers: SQLite lets go of Python's lock at each statement, and
# another thread that delivers takes it meanwhile.
_ROW = """
(?, CASE WHEN EXISTS (SELECT 1 FROM dead_letters WHERE event_id = ?) THEN NULL ELSE ? END,
    ?, ?, ?, ?, ?, ?, ?)
"""
_ROWS_AT_ONCE = 64  # SQLite before 3.32 takes 999 values
_INSERT_ROWS = f"""
INSERT INTO events (seq, {EVENT}, accepted_at) VALUES {", ".join([_ROW] * _ROWS_AT_ONCE)}
"""
_OUT_OF_ORDER = "the numbers of its events are out of order"
_REMOVE_RUN = "DELETE FROM events WHERE seq BETWEEN ? AND ?"
_WORTH_A_RUN = 4  # events; fewer leave as quickly one by one
_KNOWN = """
SELECT 1 FROM events WHERE event_id = ? UNION ALL SELECT 1 FROM dead_letters WHERE event_id = ?
"""
_BURY = f"""
INSERT INTO dead_letters (destination, {LETTER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_TOTALS = """
SELECT max(coalesce((SELECT max(seq) FROM events), 0), highest) - departed, delivered,
    dead_letters, dead_letter_bytes
FROM destinations
"""
_DEPART = """
UPDATE destinations SET highest = max(highest, ?), departed = departed + ?,
    delivered = delivered + ?, dead_letters = dead_letters + ?,
    dead_letter_bytes = dead_letter_bytes + ?
"""


class Totals(msgspec.Struct, frozen=True):
    """How many events are where, over all processes, since the spool was made."""

    pending: int
    delivered: int
    dead_letters: int
    dead_letter_bytes: int


def totals(connection: sqlite3.Connection) -> Totals:
    """Return the totals.

    Raises:
        Damaged: they cannot be told, for the last number lies before the first one.
    """
    last_number(connection)
    return Totals(*connection.execute(_TOTALS).fetchone())


def counts(connection: sqlite3.Connection) -> Counts:
    """Return every count at one moment.

    Parameters:
        connection: in a transaction.

    Raises:
        Damaged: they cannot be told.
    """
    found, since = totals(connection), oldest_time(connection)
    return Counts(
        accepted=found.pending + found.dead_letters + found.delivered,
        delivered=found.delivered,
        pending=found.pending,
        dead_letters=found.dead_letters,
        # the clock of the calendar, for the process that accepted it may be gone
        oldest_pending_seconds=None if since is None else max(0.0, time.time() - since),
    )


def insert(connection: sqlite3.Connection, events: Sequence[Event]) -> int:
    """Add events at the end, but for those whose id is known; return how many were added.

    Raises:
        Damaged: an event was ignored that is not known: its number is that of another one.
    """
    now = time.time()
    before = connection.total_changes
    rows = [(event.id, *cells_of(event), now) for event in events]
    one_by_one = len(rows) % _ROWS_AT_ONCE
    for start in range(0, len(rows) - one_by_one, _ROWS_AT_ONCE):
        _insert_rows(connection, rows[start : start + _ROWS_AT_ONCE])
    if one_by_one:
        connection.executemany(_INSERT, rows[-one_by_one:])
    added = connection.total_changes - before
    if added < len(events):
        ids = {event.id for event in events}
        if count_known(connection, ids) < len(ids):
            raise Damaged(_OUT_OF_ORDER)
    return added


def _insert_rows(connection: sqlite3.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    number: int = connection.execute(_HIGHEST).fetchone()[0]
    values = [(number + place, *row) for place, row in enumerate(rows, 1)]
    try:
        connection.execute(_INSERT_ROWS, list(chain.from_iterable(values)))
    except sqlite3.IntegrityError:  # one of them is known, and none was added
        connection.executemany(_INSERT, rows)


def count_known(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Return how many of the ids belong to events that are there."""
    return sum(connection.execute(_KNOWN, (id_, id_)).fetchone() is not None for id_ in ids)


def oldest(connection: sqlite3.Connection, limit: int, size: int) -> list[tuple[int, float, Event]]:
    """Return the first events: so many, of so many bytes, one at least.

    Each comes with its number, and with when it was accepted, seconds since 1970.
    """
    found: list[tuple[int, float, Event]] = []
    select = f"SELECT seq, accepted_at, {EVENT} FROM events ORDER BY seq LIMIT ?"
    for seq, accepted_at, *cells in connection.execute(select, (limit,)):
        event = event_of(cells)
        size -= event.size
        if size < 0 and found:
            break
        found.append((seq, accepted_at, event))
    return found


def first_number(connection: sqlite3.Connection) -> int | None:
    """Return the number of the first pending event; None without one."""
    found: int | None = connection.execute("SELECT min(seq) FROM events").fetchone()[0]
    return found


def last_number(connection: sqlite3.Connection) -> int | None:
    """Return the number of the last pending event; None without one.

    Raises:
        Damaged: it lies before the first one.
    """
    first = first_number(connection)
    last: int | None = connection.execute("SELECT max(seq) FROM events").fetchone()[0]
    if first is not None and (last is None or last < first):
        raise Damaged(_OUT_OF_ORDER)
    return last


def oldest_time(connection: sqlite3.Connection) -> float | None:
    """Return when the first pending event was accepted, seconds since 1970; None without one."""
    found = connection.execute("SELECT accepted_at FROM events ORDER BY seq LIMIT 1").fetchone()
    return None if found is None else found[0]


def settle(connection: sqlite3.Connection, ids: Collection[str], numbers: Mapping[str, int]) -> int:
    """Let go of delivered events; return how many there were.

    Parameters:
        connection: in a transaction.
        ids: of the events.
        numbers: id -> number, as far as they are known; events in a row leave together.
    """
    last = last_number(connection) or 0
    removed = _remove_runs(connection, ids, numbers)
    if removed < len(ids):
        removed += _remove(connection, "events", ids)
    if removed < len(ids) and not _is_sound(connection):
        raise Damaged("its index has lost events")
    connection.execute(_DEPART, (last, removed, removed, 0, 0))
    return removed


def bury(connection: sqlite3.Connection, letters: Sequence[DeadLetter]) -> list[DeadLetter]:
    """Turn pending events into dead letters; return those that were pending."""
    last = last_number(connection) or 0
    buried = [letter for letter in letters if _remove(connection, "events", [letter.event.id])]
    for letter in buried:
        burial = letter.reason, letter.time, letter.attempts
        connection.execute(_BURY, (DESTINATION, *cells_of(letter.event), *burial))
    size = sum(letter.event.size for letter in buried)
    connection.execute(_DEPART, (last, len(buried), 0, len(buried), size))
    return buried


def revive(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Put dead letters at the end of the pending events; return how many there were."""
    revived = 0
    for id_ in ids:
        letter = _take_letter(connection, id_)
        if letter is not None:
            revived += insert(connection, [letter.event])
    return revived


def drop_dead_letters(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Forget dead letters, and no pending events; return how many there were."""
    return sum(_take_letter(connection, id_) is not None for id_ in ids)


def drop(connection: sqlite3.Connection, ids: Iterable[str]) -> int:
    """Forget dead letters and pending events; return how many there were."""
    wanted = list(ids)
    buried = drop_dead_letters(connection, wanted)
    last = last_number(connection) or 0
    pending = _remove(connection, "events", wanted)
    connection.execute(_DEPART, (last, pending, 0, 0, 0))
    return buried + pending


def pending_among(connection: sqlite3.Connection, events: Iterable[Event]) -> list[Event]:
    """Return those of the events that are pending."""
    select = "SELECT 1 FROM events WHERE event_id = ?"
    return [event for event in events if connection.execute(select, (event.id,)).fetchone()]


def pending_events(connection: sqlite3.Connection) -> Iterator[Event]:
    """Read every pending event in order."""
    for cells in connection.execute(f"SELECT {EVENT} FROM events ORDER BY seq"):
        yield event_of(cells)


def dead_letters(connection: sqlite3.Connection) -> Iterator[DeadLetter]:
    """Read every dead letter, oldest first."""
    for cells in connection.execute(f"SELECT {LETTER} FROM dead_letters ORDER BY seq"):
        yield letter_of(cells)


def dead_letters_behind(
    connection: sqlite3.Connection, number: int, limit: int
) -> list[tuple[int, DeadLetter]]:
    """Return the next dead letters behind a number, oldest first, each with its own number."""
    select = f"SELECT seq, {LETTER} FROM dead_letters WHERE seq > ? ORDER BY seq LIMIT ?"
    found = connection.execute(select, (number, limit))
    return [(seq, letter_of(cells)) for seq, *cells in found]


def latest(connection: sqlite3.Connection, limit: int) -> list[Event]:
    """Return the last events, the latest first."""
    select = f"SELECT {EVENT} FROM events ORDER BY seq DESC LIMIT ?"
    return [event_of(cells) for cells in connection.execute(select, (limit,))]


def find(connection: sqlite3.Connection, event_id: str) -> Event | DeadLetter | None:
    """Return a pending event or a dead letter; None where the id is unknown."""
    select = f"SELECT {EVENT} FROM events WHERE event_id = ?"
    if cells := connection.execute(select, (event_id,)).fetchone():
        return event_of(cells)
    return _letter(connection, event_id)


def places(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the names of the places in which events were confirmed."""
    return frozenset(place for (place,) in connection.execute("SELECT place FROM places"))


def add_places(connection: sqlite3.Connection, names: Iterable[str]) -> None:
    """Add to the names of these places."""
    connection.executemany(
        "INSERT OR IGNORE INTO places VALUES (?, ?)", [(DESTINATION, name) for name in names]
    )


def forget_places(connection: sqlite3.Connection) -> None:
    """Forget all of these places."""
    connection.execute("DELETE FROM places")


def owner(connection: sqlite3.Connection) -> str | None:
    """Return whose the events are; None where nobody has said it."""
    found: str | None = connection.execute("SELECT owner FROM destinations").fetchone()[0]
    return found


def set_owner(connection: sqlite3.Connection, name: str) -> None:
    """Say whose the events are."""
    connection.execute("UPDATE destinations SET owner = ?", (name,))


def add_delivered(connection: sqlite3.Connection, count: int) -> None:
    """Count events that were delivered before the file was made."""
    connection.execute(_DEPART, (0, 0, count, 0, 0))


def _take_letter(connection: sqlite3.Connection, event_id: str) -> DeadLetter | None:
    letter = _letter(connection, event_id)
    if letter is not None:
        _remove(connection, "dead_letters", [event_id])
        connection.execute(_DEPART, (0, 0, 0, -1, -letter.event.size))
    return letter


def _letter(connection: sqlite3.Connection, event_id: str) -> DeadLetter | None:
    select = f"SELECT {LETTER} FROM dead_letters WHERE event_id = ?"
    cells = connection.execute(select, (event_id,)).fetchone()
    return None if cells is None else letter_of(cells)


def _remove_runs(
    connection: sqlite3.Connection, ids: Collection[str], numbers: Mapping[str, int]
) -> int:
    removed = 0
    for run in _runs(sorted((numbers[id_], id_) for id_ in ids if id_ in numbers)):
        if len(run) >= _WORTH_A_RUN and _stands_there(connection, run):
            removed += connection.execute(_REMOVE_RUN, (run[0][0], run[-1][0])).rowcount
    return removed


def _runs(numbered: Iterable[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """Part what is sorted where a number is missing."""
    run: list[tuple[int, str]] = []
    for each in numbered:
        if run and each[0] != run[-1][0] + 1:
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _stands_there(connection: sqlite3.Connection, run: Sequence[tuple[int, str]]) -> bool:
    """Return whether these are the events that have the numbers: the file may be another one."""
    select = "SELECT seq, event_id FROM events WHERE seq = ?"
    return all(connection.execute(select, end[:1]).fetchone() == end for end in (run[0], run[-1]))


def _remove(connection: sqlite3.Connection, table: str, ids: Iterable[str]) -> int:
    before = connection.total_changes
    connection.executemany(f"DELETE FROM {table} WHERE event_id = ?", [(id_,) for id_ in ids])
    return connection.total_changes - before


def _is_sound(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
