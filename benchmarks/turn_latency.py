"""Measure turns over HTTP with the broker healthy and stopped: python benchmarks/turn_latency.py.

The promise is that no turn of a conversation is slower by more than a fifth while the broker is
away. Both are measured in turns, in one run, against a private PostgreSQL as the tests start it,
which is killed and started again; the assistant is `event-brokers run` with its echo bot.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from command import Commands
from running_assistant import RunningAssistant
from servers import PostgreSQL

ROUNDS = 4
TURNS = 150  # in a round, in each condition


def turns(assistant: RunningAssistant, sender: str) -> list[float]:
    """Return how long each turn of a new conversation took, in milliseconds."""
    times = []
    for number in range(TURNS):
        start = time.perf_counter()
        assistant.say(f"turn {number}", sender)
        times.append((time.perf_counter() - start) * 1e3)
    return times


def measure(
    server: PostgreSQL, commands: Commands, endpoints: dict[str, Any]
) -> tuple[list[float], list[float]]:
    """Return how long turns take while the server is healthy, and while it is stopped."""
    healthy: list[float] = []
    down: list[float] = []
    with RunningAssistant(commands, endpoints) as assistant:
        turns(assistant, "the first ones warm up")
        for number in range(ROUNDS):
            healthy += turns(assistant, f"healthy-{number}")
            server.kill()
            down += turns(assistant, f"stopped-{number}")
            server.recover()
        assistant.stop()
    return healthy, down


def percentile(times: list[float], share: float) -> float:
    """Return the time below which a share of the times lies."""
    return statistics.quantiles(times, n=100, method="inclusive")[int(share * 100) - 1]


def main() -> None:
    """Measure each kind of tracker store and queue, and print a line for each."""
    with PostgreSQL() as server:
        section = {
            "type": "sql", "dialect": "postgresql", "url": "127.0.0.1", "port": server.port,
            "username": server.username, "password": server.password, "db": "postgres",
        }  # fmt: skip
        spool = {**section, "delivery": {"spool": "events.spool"}}
        kinds: dict[str, dict[str, Any]] = {
            "in memory": {"event_broker": section},
            "SQLite and spool": {
                "event_broker": spool, "tracker_store": {"type": "SQL", "db": "tracker.db"},
            },
        }  # fmt: skip
        for name, endpoints in kinds.items():
            with tempfile.TemporaryDirectory() as folder:
                healthy, down = measure(server, Commands(Path(folder)), endpoints)
            half, most = (
                (percentile(healthy, share), percentile(down, share)) for share in (0.5, 0.95)
            )
            print(
                f"{name}: p50 {half[0]:.1f} ms healthy, {half[1]:.1f} ms stopped, ratio "
                f"{half[1] / half[0]:.2f}; p95 {most[0]:.1f} ms healthy, {most[1]:.1f} ms "
                f"stopped, ratio {most[1] / most[0]:.2f}"
            )


if __name__ == "__main__":
    main()
