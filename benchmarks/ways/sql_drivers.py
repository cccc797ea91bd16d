"""The drivers alone, in transactions of as many rows as the core takes at once.

`executemany` of sqlite3 (synchronous=FULL) and of PyMySQL, COPY of psycopg: the same columns under
the same index as the table that event-brokers-sql makes; none of them leaves out what is stored.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from benchmarks.measuring import measure_delivery
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id

_AT_ONCE = 4_096
_COLUMNS = "sender_id, data, event_id, type_name, timestamp, headers"
_Store = Callable[[list[tuple[Any, ...]]], None]


def run(task: Task) -> Figures:
    """Measure from the first row until the last commit."""
    store = {"sqlite": _sqlite, "postgresql": _postgresql, "mariadb": _mariadb}[
        task.section["dialect"]
    ](task.section)

    def deliver(events: list[dict[str, Any]]) -> None:
        for first in range(0, len(events), _AT_ONCE):
            store([_row(event) for event in events[first : first + _AT_ONCE]])

    return measure_delivery(task, deliver)


def _row(event: dict[str, Any]) -> tuple[Any, ...]:
    body = json.dumps(event, separators=(",", ":"))
    return event["sender_id"], body, next_id(), event["event"], event["timestamp"], None


def _sqlite(section: dict[str, Any]) -> _Store:
    connection = sqlite3.connect(section["db"])
    connection.execute("PRAGMA synchronous=FULL")
    statement = f"INSERT INTO {section['table']} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"

    def store(rows: list[tuple[Any, ...]]) -> None:
        with connection:
            connection.executemany(statement, rows)

    return store


def _postgresql(section: dict[str, Any]) -> _Store:
    import psycopg  # noqa: PLC0415 - the other databases are measured without it

    connection = psycopg.connect(
        host=section["host"], port=section["port"], dbname=section["db"],
        user=section["username"], password=section["password"],
    )  # fmt: skip
    statement = f"COPY {section['table']} ({_COLUMNS}) FROM STDIN".encode()

    def store(rows: list[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()

    return store


def _mariadb(section: dict[str, Any]) -> _Store:
    import pymysql  # noqa: PLC0415 - the other databases are measured without it

    connection = pymysql.connect(
        host=section["host"], port=section["port"], database=section["db"],
        user=section["username"], password=section["password"], charset="utf8mb4",
    )  # fmt: skip
    statement = f"INSERT INTO {section['table']} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)"

    def store(rows: list[tuple[Any, ...]]) -> None:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
        connection.commit()

    return store
