"""Show what arrived in an SQLite file: python examples/show_events.py examples/events.db.

Reads with the standard library's sqlite3 alone, as any consumer of the events could.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing
from typing import Any

COLUMNS = "id, sender_id, type_name, data"


def main(path: str) -> None:
    """Print one line for each event in the file."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"SELECT {COLUMNS} FROM events ORDER BY id").fetchall()
    print(f"{'id':>4}  {'sender_id':<10}{'type_name':<17}data")
    for number, sender_id, type_name, data in rows:
        print(f"{number:>4}  {sender_id:<10}{type_name:<17}{_in_short(json.loads(data))}")


def _in_short(event: dict[str, Any]) -> str:
    if "text" in event:
        return f'"{event["text"]}"'
    if "value" in event:
        return f"{event['name']} = {event['value']}"
    return str(event.get("name", ""))


if __name__ == "__main__":
    main(sys.argv[1])
