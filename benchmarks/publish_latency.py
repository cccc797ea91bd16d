"""Measure `publish` with the broker healthy and stopped: python benchmarks/publish_latency.py.

The promise is that an outage is not felt: the ratio of the 99th percentiles is 1.2 at most. Both
are measured in turns, in one run, against a private PostgreSQL as the tests start it, which is
killed and started again. Events come at a steady pace, as conversations do.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import event_brokers
from servers import PostgreSQL

ROUNDS = 4
EVENTS = 1500  # in a round, in each condition
PAUSE_SECONDS = 0.001
EVENT = {"sender_id": "default", "event": "user", "timestamp": 1.5, "text": "x" * 200}


def latencies(broker: event_brokers.EventBroker) -> list[float]:
    """Return how long each of many calls of `publish` took, in microseconds."""
    times = []
    for _ in range(EVENTS):
        start = time.perf_counter()
        broker.publish(EVENT)
        times.append((time.perf_counter() - start) * 1e6)
        time.sleep(PAUSE_SECONDS)
    return times


@contextmanager
def stopped(server: PostgreSQL, broker: event_brokers.EventBroker) -> Iterator[None]:
    """Kill the server, and wait until the broker has noticed; start it again afterwards."""
    server.kill()
    while broker.status().state == "connected":
        broker.publish(EVENT)
        time.sleep(PAUSE_SECONDS)
    yield
    server.recover()
    broker.flush(60)


def measure(server: PostgreSQL, delivery: dict[str, Any]) -> tuple[list[float], list[float]]:
    """Return the latencies while the server is healthy, and while it is stopped."""
    section = {
        "type": "sql", "dialect": "postgresql", "url": "127.0.0.1", "port": server.port,
        "username": server.username, "password": server.password, "db": "postgres",
    }  # fmt: skip
    healthy: list[float] = []
    down: list[float] = []
    with event_brokers.connect({**section, "delivery": delivery}) as broker:
        broker.publish(EVENT)
        broker.flush(60)
        latencies(broker)  # the first ones warm up
        for _ in range(ROUNDS):
            healthy += latencies(broker)
            with stopped(server, broker):
                down += latencies(broker)
    return sorted(healthy), sorted(down)


def percentile(times: list[float], share: float) -> float:
    """Return the time below which a share of the sorted times lies."""
    return times[int(len(times) * share)]


def main() -> None:
    """Measure every kind of queue, and print a line for each."""
    with tempfile.TemporaryDirectory() as folder, PostgreSQL() as server:
        queues = {
            "memory": {},
            "spool, durability process": {"spool": f"{folder}/1", "durability": "process"},
            "spool, durability power": {"spool": f"{folder}/2", "durability": "power"},
        }
        for name, delivery in queues.items():
            healthy, down = measure(server, delivery)
            half, most = (
                (percentile(healthy, share), percentile(down, share)) for share in (0.5, 0.99)
            )
            print(
                f"{name}: p50 {half[0]:.0f} us healthy, {half[1]:.0f} us stopped; "
                f"p99 {most[0]:.0f} us healthy, {most[1]:.0f} us stopped; "
                f"ratio of the p99 {most[1] / most[0]:.2f}"
            )


if __name__ == "__main__":
    main()
