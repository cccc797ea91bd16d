"""Runs the programs of these tests, each in a process of its own that must end in time."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stand_in import write_plugin

TESTS = Path(__file__).parent.parent
DEADLINE_SECONDS = 120.0  # of a program that hangs; one that does not takes a few

LONGEST_SECONDS = 280.0  # of one that does everything there is to do, and not a part of it

# since Python 3.12, of every fork of a process with threads; what it warns of is tested here
FORK_WARNING = "ignore:This process:DeprecationWarning"

# an event is a line, and a batch is one write: processes may share the file
FILE_PLUGIN = """
import gc, os, threading, time
from event_brokers import BrokerUnavailable, hookimpl

@hookimpl
def connect(options):
    if options.get("unreachable"):
        raise BrokerUnavailable("nobody listens")
    if options.get("blocks_in") == os.getpid():
        open(options["file"] + ".connecting", "w").close()
        threading.Event().wait()
    return options

@hookimpl
def publish(connection, events):
    if connection.get("collects_garbage"):
        gc.collect()
    time.sleep(connection.get("seconds", 0))
    while not os.path.exists(connection.get("waits_for", "/")):
        time.sleep(0.005)
    lines = b"".join(event.body + b"\\n" for event in events)
    file = os.open(connection["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        assert os.write(file, lines) == len(lines)
    finally:
        os.close(file)

@hookimpl
def close(connection):
    pass
"""
DRAIN = """
import json, sys, event_brokers
with event_brokers.connect(json.loads(sys.argv[1])) as broker:
    assert broker.flush(60).pending == 0
"""


@dataclass(frozen=True)
class Ended:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def complaints(self) -> list[str]:
        """What it complained of, but for SQLite's file that others were writing to."""
        allowed = re.compile(r"sql: (retrying: .*database is locked|recovered after)")
        return [line for line in self.err.splitlines() if not allowed.match(line)]

    @property
    def document(self) -> dict[str, Any]:
        """What it said: one JSON document."""
        assert self.code == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found


class Programs:
    """A folder to run programs in, with a broker of the type `journal` that writes into `arrived`.

    Parameters:
        folder: where the broker's and the spool's files are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "events.db"
        self._arrived = folder / "arrived"
        write_plugin(folder, "journal", FILE_PLUGIN, "journal-broker")

    def section(self, waits: str, **options: Any) -> dict[str, Any]:
        """Return the section of the broker `journal`.

        Parameters:
            waits: "memory" or "spool".
            options: of the plugin.
        """
        return {
            "type": "journal",
            "file": str(self._arrived),
            **options,
            "delivery": self._delivery(waits),
        }

    def sql_section(self, waits: str) -> dict[str, Any]:
        """Return the section of the SQL broker, with a database of SQLite.

        Parameters:
            waits: "memory" or "spool".
        """
        return {"type": "sql", "db": str(self.database), "delivery": self._delivery(waits)}

    def run(self, *words: str, seconds: float = DEADLINE_SECONDS) -> Ended:
        """Run a program to its end.

        Parameters:
            words: what stands behind `python`.
            seconds: until it must have ended.
        """
        with self.start(*words) as process:
            return ended(process, seconds)

    @contextmanager
    def start(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Start a program; whatever is left of it, and of its children, is killed afterwards.

        Parameters:
            words: what stands behind `python`.
        """
        path = os.pathsep.join([str(self.folder), str(TESTS), os.environ.get("PYTHONPATH", "")])
        process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-W", FORK_WARNING, *words],
            cwd=self.folder, env={**os.environ, "PYTHONPATH": path}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        with process:
            try:
                yield process
            finally:
                _signal_all(process, signal.SIGKILL)

    def write(self, name: str, program: str) -> str:
        """Write a program into a file, and return the file's name.

        Parameters:
            name: of the file.
            program: its text.
        """
        (self.folder / name).write_text(program, encoding="utf-8")
        return name

    def arrived(self) -> list[dict[str, Any]]:
        """Return the events that the broker has, in order."""
        if not self._arrived.exists():
            return []
        return [json.loads(line) for line in self._arrived.read_bytes().splitlines()]

    def forget_arrived(self) -> None:
        """Let the broker have nothing again."""
        self._arrived.unlink(missing_ok=True)

    def arrivals(self) -> Counter[int]:
        """Return how often each event's `number` has arrived."""
        return Counter(event["number"] for event in self.arrived())

    def arrivals_with_spool(self) -> Counter[int]:
        """Return the same once the next program has delivered what was left in the spool."""
        if (self.folder / "waiting").exists():
            done = self.run("-c", DRAIN, json.dumps(self.section("spool")))
            assert (done.code, done.err) == (0, "")
        return self.arrivals()

    def rows(self) -> Counter[tuple[str, int]]:
        """Return how often each sender's `number` stands in the database."""
        with closing(sqlite3.connect(self.database)) as connection:
            rows = connection.execute("SELECT sender_id, data FROM events").fetchall()
        return Counter((sender, json.loads(data)["number"]) for sender, data in rows)

    def _delivery(self, waits: str) -> dict[str, Any]:
        # the program's end may last, for on a busy machine so may delivery
        delivery: dict[str, Any] = {"exit_timeout": 60.0}
        if waits == "spool":
            delivery |= {"spool": str(self.folder / "waiting"), "durability": "process"}
        return delivery


def ended(process: subprocess.Popen[str], seconds: float = DEADLINE_SECONDS) -> Ended:
    """Wait for the end of a program, and of all children that still can say something.

    Parameters:
        process: from `Programs.start`.
        seconds: until it must have ended; then the test fails, and tells where its threads are.
    """
    with suppress(subprocess.TimeoutExpired):
        out, err = process.communicate(timeout=seconds)
        return Ended(process.returncode, out, err)
    _signal_all(process, signal.SIGABRT)  # faulthandler tells on which line each thread is
    with suppress(subprocess.TimeoutExpired):
        process.wait(20)
    _signal_all(process, signal.SIGKILL)
    _, err = process.communicate()
    pytest.fail(f"it did not end within {seconds:.0f} s\n{err}")


def _signal_all(process: subprocess.Popen[str], number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
