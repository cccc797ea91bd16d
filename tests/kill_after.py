"""What is left of a program that was killed: its spool, delivered by another process."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import event_brokers
from waiting import next_line, wait_until


def arrived_after_kill(program: str, count: int, folder: Path) -> list[tuple[str, str]]:
    """Return type and body of what arrives in SQLite when a program was killed amid an outage.

    Parameters:
        program: has `{section!r}` where it is given the section of its broker; it prints a line
            when it has emitted everything, and waits for its standard input.
        count: of the events that it emits.
        folder: an empty one.
    """
    place = folder / "not there yet"
    section = {
        "type": "sql", "db": str(place / "events.db"), "delivery": {"spool": str(folder / "spool")},
    }  # fmt: skip
    command = [sys.executable, "-c", program.format(section=section)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        next_line(process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    place.mkdir()
    with event_brokers.connect(section) as broker:
        wait_until(lambda: broker.status().delivered == count, 60)
    with closing(sqlite3.connect(place / "events.db")) as database:
        return database.execute("SELECT type_name, data FROM events ORDER BY id").fetchall()
