"""Measure delivery into tables, for one state of the plugin or several, beside the raw drivers.

    python benchmarks/sql_delivery.py plugins/sql_broker/src ../before/plugins/sql_broker/src
    python benchmarks/sql_delivery.py --only postgresql

Each folder is one state. The raw driver and the states take turns in one run, each time in a
process of its own, on private servers as the tests start them. A round begins with the same
dictionaries, and ends when the last of them is committed; then what arrived is counted in the
database, and its order looked at, before the figure counts. The raw drivers store the same columns
under the same index, in transactions of as many rows as the core takes at once: `executemany` of
sqlite3 (synchronous=FULL) and of PyMySQL, COPY of psycopg; none of them leaves out what is stored
already. Printed are the medians, the spread, the processor's time that the client takes for an
event, and the ratio to the raw driver of the same round.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers import MariaDB, PostgreSQL

ROUNDS = 5
EVENTS = 80_000
TABLE = "measured"
RAW = "raw driver"
Query = Callable[[str], list[tuple[Any, ...]]]

COMMON = """
import json, sys, time

section, count = json.loads(sys.argv[1]), int(sys.argv[2])
warm_up = 5_000

def events(first, count):
    return [
        {
            "sender_id": f"conversation-{number % 100}", "timestamp": 1528402837.617099 + number,
            "event": "user", "number": number, "text": "x" * 189,
        }
        for number in range(first, first + count)
    ]

def measure(deliver):
    deliver(events(0, warm_up))
    published = events(warm_up, count)
    cpu, begun = time.process_time(), time.perf_counter()
    deliver(published)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    print(json.dumps({"a second": count / seconds, "cpu us": cpu / count * 1e6}))
"""

OURS = (
    COMMON
    + """
import event_brokers

broker = event_brokers.connect(section)

def deliver(events):
    broker.publish_many(events)
    assert broker.flush(300).pending == 0

measure(deliver)
broker.close()
"""
)

RAW_ROUND = (
    COMMON
    + """
import itertools

AT_ONCE = 4_096
COLUMNS = "sender_id, data, event_id, type_name, timestamp, headers"
table = section["table"]
ids = itertools.count()

def row(event):
    # as long as a UUID, and sorted as those of the plugin are: random ones take longer
    event_id = f"01890a5d-ac96-774b-bcce-{next(ids):012x}"
    body = json.dumps(event, separators=(",", ":"))
    return event["sender_id"], body, event_id, event["event"], event["timestamp"], None

def in_batches(store):
    def deliver(events):
        for first in range(0, len(events), AT_ONCE):
            store([row(event) for event in events[first : first + AT_ONCE]])

    return deliver

def sqlite():
    import sqlite3

    connection = sqlite3.connect(section["db"])
    connection.execute("PRAGMA synchronous=FULL")
    statement = f"INSERT INTO {table} ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"

    def store(rows):
        with connection:
            connection.executemany(statement, rows)

    return store

def postgresql():
    import psycopg

    connection = psycopg.connect(
        host=section["host"], port=section["port"], dbname=section["db"],
        user=section["username"], password=section["password"],
    )
    statement = f"COPY {table} ({COLUMNS}) FROM STDIN"

    def store(rows):
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
        connection.commit()

    return store

def mariadb():
    import pymysql

    connection = pymysql.connect(
        host=section["host"], port=section["port"], database=section["db"],
        user=section["username"], password=section["password"], charset="utf8mb4",
    )
    statement = f"INSERT INTO {table} ({COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s)"

    def store(rows):
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
        connection.commit()

    return store

measure(in_batches(globals()[section["dialect"]]()))
"""
)

PREPARE = """
import json, sys
import event_brokers

with event_brokers.connect(json.loads(sys.argv[1])) as broker:
    broker.flush(60)
    broker.publish({})
"""


def measure(state: str, section: dict[str, Any], query: Query) -> dict[str, float]:
    """Return the figures of one round.

    Parameters:
        state: the folder that holds the package `event_brokers_sql`, or RAW.
        section: the database and the table, which is empty.
        query: runs a statement in the database.
    """
    query(f"DELETE FROM {TABLE}")
    program = RAW_ROUND if state == RAW else OURS
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(section), str(EVENTS)],
        env={**os.environ, "PYTHONPATH": "" if state == RAW else state},
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    bodies = query(f"SELECT data FROM {TABLE} ORDER BY id")
    numbers = [json.loads(body)["number"] for (body,) in bodies]
    if numbers != list(range(len(numbers))) or len(numbers) < EVENTS:
        raise SystemExit(f"{state}: {len(numbers)} events arrived, or not in their order")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def compare(states: list[str], section: dict[str, Any], query: Query) -> None:
    """Print a line for each state.

    Parameters:
        states: folders, and RAW first.
        section: the database and the table.
        query: runs a statement in the database.
    """
    subprocess.run([sys.executable, "-c", PREPARE, json.dumps(section)], check=True)
    rounds: list[dict[str, dict[str, float]]] = [
        {state: measure(state, section, query) for state in states} for _ in range(ROUNDS)
    ]
    for state in states:
        speeds = [each[state]["a second"] for each in rounds]
        cpu = statistics.median(each[state]["cpu us"] for each in rounds)
        ratios = [each[state]["a second"] / each[RAW]["a second"] for each in rounds]
        print(
            f"{section['dialect']}, {state}: {statistics.median(speeds):,.0f} a second "
            f"({min(speeds):,.0f} to {max(speeds):,.0f}), {cpu:.1f} us of the processor an event, "
            f"{statistics.median(ratios):.2f} x raw ({min(ratios):.2f} to {max(ratios):.2f})",
            flush=True,
        )


def find_database(dialect: str, opened: ExitStack) -> tuple[dict[str, Any], Query]:
    """Return the section of a new database, and what runs a statement in it."""
    section: dict[str, Any] = {"type": "sql", "dialect": dialect, "table": TABLE}
    if dialect == "sqlite":
        # not where files are in memory: synchronous=FULL means a disk
        file = str(Path(opened.enter_context(tempfile.TemporaryDirectory(dir="."))) / "events.db")

        def query(statement: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(file)) as connection, connection:
                return connection.execute(statement).fetchall()

        return section | {"db": file}, query
    server: PostgreSQL | MariaDB = PostgreSQL() if dialect == "postgresql" else MariaDB()
    opened.enter_context(server)
    section |= {
        "host": server.host, "port": server.port, "db": server.db, "username": server.username,
        "password": server.password,
    }  # fmt: skip
    return section, server.query


def main() -> None:
    """Print a line for each database and state."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sources", nargs="*", default=["plugins/sql_broker/src"])
    databases = ["sqlite", "postgresql", "mariadb"]
    parser.add_argument("--only", choices=databases, action="append", help="one database")
    given = parser.parse_args()
    states = [RAW, *(str(Path(source).absolute()) for source in given.sources)]
    for dialect in given.only or databases:
        with ExitStack() as opened:
            compare(states, *find_database(dialect, opened))


if __name__ == "__main__":
    main()
