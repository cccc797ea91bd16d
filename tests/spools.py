"""Spools as the tests fill and drain them, without a broker."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from event_brokers import Event
from event_brokers.queues.spool import Spool

BATCH_BYTES = 8 * 1024 * 1024
DISK_BYTES = 20 * 1024 * 1024


def an_event(number: int) -> Event:
    """Return one of many events, the same for the same number; ids sort like numbers."""
    body = {"sender_id": "a", "event": "user", "n": number, "text": "x" * 200}
    return Event.from_dict(body, f"e{number:06}")


def open_spool(folder: Path, durability: str = "process") -> Spool:
    """Return the spool in a folder, bounded by nothing that a test comes to."""
    return Spool(folder, durability, None, 2**40, 2**40, None)


def drain(spool: Spool) -> list[Event]:
    """Take everything out as a delivery would, and return it in order."""
    events: list[Event] = []
    while batch := spool.peek(500, BATCH_BYTES):
        spool.settle([event.id for event in batch])
        events += batch
    return events


def ids(events: list[Event]) -> list[str]:
    """Return the ids of events."""
    return [event.id for event in events]


def tree(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that stands below a folder: when it was changed, its rights, and its bytes."""
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mtime_ns,
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def accept_until(refusal: type[Exception], accept: Callable[[int], object]) -> int:
    """Call with 0, 1 and so on until it is refused; return how often it was not.

    Parameters:
        refusal: the error that ends it.
        accept: called with a number.
    """
    number = 0
    try:
        while True:
            accept(number)
            number += 1
    except refusal:
        return number


@contextmanager
def run_elsewhere(program: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program in another process, which ends when nothing more comes into it.

    Parameters:
        program: in Python; may import what the tests may.
        words: `sys.argv[1:]`.
    """
    with subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.communicate(timeout=60)
