"""Measure `publish` into a spool with the broker down, for one state of the code or several.

    python benchmarks/spool_publish.py core/src ../before/core/src

Each folder is one state; they are measured in turns, in one run, each time in a process of its own.
Printed are the medians of the rounds: what a call takes in one thread, what it costs the processor,
and how many calls a second many threads make together.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from stand_in import write_plugin

ROUNDS = 7
THREADS = 64

DOWN = """
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

ROUND = """
import json, sys, threading, time
import event_brokers

folder, durability, count, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
event = {"sender_id": "default", "event": "user", "timestamp": 1528402837.617099, "text": "x" * 200}
delivery = {"spool": folder, "durability": durability, "exit_timeout": 0}
broker = event_brokers.connect({"type": "down", "delivery": delivery})

def publish(times, calls):
    for _ in range(calls):
        begun = time.perf_counter()
        broker.publish(event)
        times.append(time.perf_counter() - begun)

publish([], 200)
times, cpu, begun = [], time.process_time(), time.perf_counter()
publish(times, count)
cpu, seconds = time.process_time() - cpu, time.perf_counter() - begun
times.sort()
many = [threading.Thread(target=publish, args=([], count // threads)) for _ in range(threads)]
begun = time.perf_counter()
for thread in many:
    thread.start()
for thread in many:
    thread.join()
together = count // threads * threads / (time.perf_counter() - begun)
print(json.dumps({
    "p50 us": times[count // 2] * 1e6, "p99 us": times[count * 99 // 100] * 1e6,
    "a second": count / seconds, "cpu us": cpu / count * 1e6,
    f"{threads} threads, a second": together,
}))
broker.close(timeout=0)
"""


def measure(source: str, plugins: Path, durability: str, count: int) -> dict[str, float]:
    """Return the figures of one round.

    Parameters:
        source: the folder that holds the package `event_brokers`.
        plugins: holds a plugin whose broker is down.
        durability: of the spool.
        count: events.
    """
    with tempfile.TemporaryDirectory(dir=".") as folder:
        done = subprocess.run(
            [sys.executable, "-c", ROUND, f"{folder}/spool", durability, str(count), str(THREADS)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([source, str(plugins)])},
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a line for each state and durability."""
    sources = [str(Path(source).absolute()) for source in sys.argv[1:] or ["core/src"]]
    with tempfile.TemporaryDirectory() as folder:
        write_plugin(Path(folder), "down", DOWN)
        for durability, count in (("process", 8_000), ("power", 2_000)):
            rounds: dict[str, list[dict[str, float]]] = {source: [] for source in sources}
            for _ in range(ROUNDS):
                for source in sources:
                    rounds[source].append(measure(source, Path(folder), durability, count))
            for source, found in rounds.items():
                medians = {
                    name: statistics.median(each[name] for each in found) for name in found[0]
                }
                figures = ", ".join(f"{name} {value:,.0f}" for name, value in medians.items())
                print(f"{durability}, {source}: {figures}")


if __name__ == "__main__":
    main()
