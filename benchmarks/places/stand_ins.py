"""Brokers that are none: one that is down for ever, and one that notes when an event has come."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.places.place import Place
from stand_in import write_plugin

_DOWN = """
from event_brokers import BrokerUnavailable, hookimpl

@hookimpl
def connect(options):
    raise BrokerUnavailable("nobody listens")

@hookimpl
def publish(connection, events):
    pass

@hookimpl
def close(connection):
    pass
"""

_NOTING = """
import time

import msgspec

from event_brokers import hookimpl

@hookimpl
def connect(options):
    return open(options["file"], "a", buffering=1)

@hookimpl
def publish(connection, events):
    now = time.monotonic()
    for event in events:
        connection.write(f"{msgspec.json.decode(event.body)['sent']} {now}\\n")

@hookimpl
def close(connection):
    connection.close()
"""


def write_plugins(folder: Path) -> None:
    """Write the plugins `down` and `noting`, installed while the folder is on the path."""
    write_plugin(folder, "down", _DOWN, "stand-in-down")
    write_plugin(folder, "noting", _NOTING, "stand-in-noting")


@contextmanager
def down() -> Iterator[Place]:
    """Return a broker that is down: what was published is read in the spool of the turn."""

    def read(folder: Path) -> Iterator[bytes]:
        file = folder / "spool" / "data" / "events.db"
        with closing(sqlite3.connect(file)) as connection:
            for (body,) in connection.execute("SELECT body FROM events ORDER BY seq"):
                yield body

    yield Place(lambda _: {"type": "down"}, read)


@contextmanager
def noting() -> Iterator[Place]:
    """Return a broker that notes in the file of its section when an event has come."""

    def empty(_: Path) -> dict[str, Any]:
        return {"type": "noting"}

    yield Place(empty, lambda _: iter(()))
