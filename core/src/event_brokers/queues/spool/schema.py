"""The tables of the spool's file, and how those of an older version become them."""

from __future__ import annotations

import sqlite3

VERSION = 2
DESTINATION = 1  # the only one so far
_APPLICATION_ID = 0x45764272  # "EvBr": tells our files from other SQLite files

_VERSION_1 = """
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    sender_id TEXT,
    type TEXT,
    timestamp REAL,
    checksum INTEGER NOT NULL,
    accepted_at REAL NOT NULL
);
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    sender_id TEXT,
    type TEXT,
    timestamp REAL,
    checksum INTEGER NOT NULL,
    reason TEXT NOT NULL,
    buried_at REAL NOT NULL,
    attempts INTEGER NOT NULL
);
CREATE TABLE totals (
    pending INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    delivered INTEGER NOT NULL
);
INSERT INTO totals VALUES (0, 0, 0);
"""

# How many events wait is not counted but derived, so that a new event changes no row but its own:
# the highest number that was ever given, less those that have left.
#
# A destination is what one broker is fed as. There is one, and an event leaves the table with it.
# With several, an event leaves with the last: `position` and `ahead` then tell what each of them
# has had: all up to a number, and some behind it.
_VERSION_2 = """
ALTER TABLE events RENAME TO events_1;
ALTER TABLE dead_letters RENAME TO dead_letters_1;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL UNIQUE,
    body BLOB NOT NULL,
    sender_id TEXT,
    type TEXT,
    timestamp REAL,
    headers TEXT,
    checksum INTEGER NOT NULL,
    accepted_at REAL NOT NULL
);
CREATE TABLE dead_letters (
    seq INTEGER PRIMARY KEY,
    destination INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    body BLOB NOT NULL,
    sender_id TEXT,
    type TEXT,
    timestamp REAL,
    headers TEXT,
    checksum INTEGER NOT NULL,
    reason TEXT NOT NULL,
    buried_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    UNIQUE (event_id, destination)
);
CREATE TABLE destinations (
    destination INTEGER PRIMARY KEY,
    owner TEXT,
    position INTEGER NOT NULL,
    highest INTEGER NOT NULL,
    departed INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL,
    dead_letter_bytes INTEGER NOT NULL
);
CREATE TABLE ahead (
    destination INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) WITHOUT ROWID;
CREATE TABLE places (
    destination INTEGER NOT NULL,
    place TEXT NOT NULL,
    PRIMARY KEY (destination, place)
) WITHOUT ROWID;
INSERT INTO events
    SELECT seq, event_id, body, sender_id, type, timestamp, NULL, checksum, accepted_at
    FROM events_1 ORDER BY seq;
INSERT INTO dead_letters
    SELECT seq, 1, event_id, body, sender_id, type, timestamp, NULL, checksum, reason, buried_at,
        attempts
    FROM dead_letters_1 ORDER BY seq;
INSERT INTO destinations
    SELECT 1, NULL, 0, highest, highest - (SELECT count(*) FROM events), delivered,
        (SELECT count(*) FROM dead_letters),
        (SELECT coalesce(sum(length(body)), 0) FROM dead_letters)
    FROM totals, (
        SELECT max(coalesce((SELECT max(seq) FROM events), 0), coalesce(max(seq), 0)) AS highest
        FROM sqlite_sequence WHERE name = 'events_1'
    );
DROP TABLE events_1;
DROP TABLE dead_letters_1;
DROP TABLE totals;
"""
_STEPS = (_VERSION_1, _VERSION_2)


class Unsuitable(Exception):
    """The file is a sound database, but no spool of this version; says which."""


def prepare(connection: sqlite3.Connection, version: int = VERSION) -> None:
    """Make the tables where the file is new, and bring those of an older version up to date.

    A new file goes through all versions, too: so its first page is the same as that of any other.

    Parameters:
        connection: to the file, for writing.
        version: up to which it is brought.

    Raises:
        Unsuitable: the file was written by a newer version, or is another program's.
    """
    found = version_of(connection)
    if is_new(connection):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before all else
        connection.execute("PRAGMA journal_mode = WAL")
    else:
        refuse_unsuitable(connection)
    if found < version:
        _bring_up_to_date(connection, found, version)


def is_new(connection: sqlite3.Connection) -> bool:
    """Return whether nothing has been made in the file yet."""
    return version_of(connection) == 0 and not _pragma(connection, "schema_version")


def refuse_unsuitable(connection: sqlite3.Connection) -> None:
    """Look whether the file is a spool's, of this version or an older one.

    Raises:
        Unsuitable: the file was written by a newer version, or is another program's.
    """
    if _pragma(connection, "application_id") != _APPLICATION_ID:
        raise Unsuitable("holds a database of another program; name another folder")
    if version_of(connection) > VERSION:
        raise Unsuitable("was written by a newer event-brokers; upgrade this one")


def version_of(connection: sqlite3.Connection) -> int:
    """Return the version of the tables; 0 where there are none."""
    return _pragma(connection, "user_version")


def _bring_up_to_date(connection: sqlite3.Connection, found: int, version: int) -> None:
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE; {''.join(_STEPS[found:version])}"
            f"PRAGMA application_id = {_APPLICATION_ID}; PRAGMA user_version = {version}; COMMIT;"
        )
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
