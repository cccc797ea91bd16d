"""SQLite alone, one INSERT a commit: the columns of the spool, and nothing of what it promises."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any
from zlib import crc32

from benchmarks.events import numbered
from benchmarks.measuring import latency_curve, measured, percentiles
from benchmarks.row import CPU, RATE
from benchmarks.task import Figures, Task
from benchmarks.ways.messages import next_id

_TABLE = """
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
)
"""
_INSERT = """
INSERT INTO events (event_id, body, sender_id, type, timestamp, headers, checksum, accepted_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""


def run(task: Task) -> Figures:
    """Measure from the first commit until the last.

    Settings: `synchronous`, NORMAL or FULL.
    """
    file = Path(task.folder, "spool", "data", "events.db")
    file.parent.mkdir(parents=True)
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {task.settings['synchronous']}")
    connection.execute(_TABLE)
    for event in numbered(0, task.warm_up):
        _store(connection, event)
    events = numbered(task.warm_up, task.count)
    times = []
    with measured() as taken:
        for event in events:
            begun = time.perf_counter()
            _store(connection, event)
            times.append(time.perf_counter() - begun)
    connection.close()
    figures = {RATE: task.count / taken.seconds, CPU: taken.cpu_seconds / task.count * 1e6}
    return Figures(figures | percentiles(times), task.warm_up + task.count, latency_curve(times))


def _store(connection: sqlite3.Connection, event: dict[str, Any]) -> None:
    body = json.dumps(event, separators=(",", ":")).encode()
    cells = (
        next_id(), body, event["sender_id"], event["event"], event["timestamp"], None,
        crc32(body), time.time(),
    )  # fmt: skip
    connection.execute(_INSERT, cells)
