"""Write what users and bots say into an SQLite file: consume_into_database.py messages.db.

An event may come twice; its id is the key, so it is written once. It is acknowledged when the next
one is asked for, and by then it was committed: a program that is killed loses nothing.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import event_brokers

TABLE = """CREATE TABLE IF NOT EXISTS messages
(event_id TEXT PRIMARY KEY, sender_id TEXT, said_by TEXT, text TEXT)"""


def main(path: str) -> None:
    """Write every message there is, and those that come."""
    with (
        closing(sqlite3.connect(path)) as database,
        event_brokers.consume("endpoints.yml", group="messages", from_start=True) as consumer,
    ):
        database.execute(TABLE)
        for received in consumer:
            event = received.event or {}
            if event.get("event") not in ("user", "bot"):
                continue
            row = (received.id, event.get("sender_id"), event["event"], event.get("text"))
            with database:
                database.execute("INSERT OR IGNORE INTO messages VALUES (?, ?, ?, ?)", row)


if __name__ == "__main__":
    main(sys.argv[1])
