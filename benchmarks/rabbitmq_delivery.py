"""Measure delivery to RabbitMQ, for one state of its plugin or several.

    python benchmarks/rabbitmq_delivery.py plugins/pika_broker/src ../before/plugins/pika_broker/src

Each folder is one state; they are measured in turns, in one run, each time in a process of its own,
against a private RabbitMQ as the tests start it. Printed are the medians of the rounds: events a
second on a connection that has delivered before, what one costs the processor, and events a second
on a new connection; of one conversation and of a hundred; to a queue that takes everything, and to
one that is said to refuse what it has no room for.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from servers import RabbitMQ

ROUNDS = 5

ROUND = """
import json, sys, time
import event_brokers

section, conversations, count = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])

def events(count):
    return [
        {"sender_id": str(number % conversations), "event": "user", "text": "x" * 200}
        for number in range(count)
    ]

def deliver(broker, count):
    published = events(count)
    begun, cpu = time.perf_counter(), time.process_time()
    broker.publish_many(published)
    assert broker.flush(300).pending == 0
    return count / (time.perf_counter() - begun), (time.process_time() - cpu) / count * 1e6

broker = event_brokers.connect(section)
broker.flush(60)
new, _ = deliver(broker, 4000)
second, cpu = deliver(broker, count)
print(json.dumps({"a second": second, "cpu us": cpu, "new connection, a second": new}))
broker.close()
"""
QUEUES = {
    "takes everything": ({}, 20_000),
    "may refuse": ({"x-max-length": 1_000_000, "x-overflow": "reject-publish"}, 4_000),
}


def measure(
    source: str, server: RabbitMQ, arguments: dict[str, object], conversations: int, count: int
) -> dict[str, float]:
    """Return the figures of one round.

    Parameters:
        source: the folder that holds the package `event_brokers_pika`.
        server: takes the events.
        arguments: of the queue.
        conversations: that take turns.
        count: events on the connection that has delivered before.
    """
    section = {
        "type": "pika", "url": server.host, "port": server.port, "queue": "measured",
        "username": server.username, "password": server.password, "queue_arguments": arguments,
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-c", ROUND, json.dumps(section), str(conversations), str(count)],
            env={**os.environ, "PYTHONPATH": source}, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
    finally:
        with server.connection() as connection:
            connection.channel().queue_delete("measured")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Print a line for each state, queue and number of conversations."""
    sources = [
        str(Path(source).absolute()) for source in sys.argv[1:] or ["plugins/pika_broker/src"]
    ]
    with RabbitMQ() as server:
        for queue, (arguments, count) in QUEUES.items():
            for conversations in (1, 100):
                rounds: dict[str, list[dict[str, float]]] = {source: [] for source in sources}
                for _ in range(ROUNDS):
                    for source in sources:
                        rounds[source].append(
                            measure(source, server, arguments, conversations, count)
                        )
                for source, found in rounds.items():
                    medians = {
                        name: statistics.median(each[name] for each in found) for name in found[0]
                    }
                    figures = ", ".join(f"{name} {value:,.0f}" for name, value in medians.items())
                    print(f"{queue}, conversations {conversations}, {source}: {figures}")


if __name__ == "__main__":
    main()
