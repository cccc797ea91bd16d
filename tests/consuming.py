"""What tests of consumers do: consume in the background, and in a process that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from typing import Any

from event_brokers import Consumer

_KILLED = """
import os, sys, json, event_brokers
with event_brokers.consume(json.loads(sys.argv[1]), from_start=True) as consumer:
    for count, received in enumerate(consumer, 1):
        print(received.event["n"], flush=True)
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), 9)
"""


def number(received: Any) -> int:
    """Return the number of an event."""
    found: int = received.event["n"]
    return found


def in_background(consumer: Consumer) -> list[int]:
    """Consume in a thread until the consumer is closed; return the list that it fills.

    Parameters:
        consumer: of events with a number.
    """
    found: list[int] = []

    def run() -> None:
        found.extend(map(number, consumer))

    threading.Thread(target=run, daemon=True).start()
    return found


def until_killed(section: dict[str, Any], count: int) -> list[int]:
    """Consume in a process of its own that is killed with an event in hand; return what it saw.

    Parameters:
        section: of the broker.
        count: the event, from 1, with which it is killed.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _KILLED, json.dumps(section), str(count)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    return [int(line) for line in ended.stdout.split()]
