"""The tables of the spool's file."""

from __future__ import annotations

import sqlite3

VERSION = 1
_APPLICATION_ID = 0x45764272  # "EvBr": tells our files from other SQLite files

_TABLES = """
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


class Unsuitable(Exception):
    """The file is a sound database, but no spool of this version; says which."""


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables where the file is new.

    Raises:
        Unsuitable: the file was written by a newer version, or is another program's.
    """
    version = _pragma(connection, "user_version")
    if version == 0 and not _pragma(connection, "schema_version"):
        _create(connection)
    elif _pragma(connection, "application_id") != _APPLICATION_ID:
        raise Unsuitable("holds a database of another program; name another folder")
    elif version > VERSION:
        raise Unsuitable("was written by a newer event-brokers; upgrade this one")


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before all else
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} PRAGMA application_id = {_APPLICATION_ID};"
        f"PRAGMA user_version = {VERSION}; COMMIT;"
    )


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value
