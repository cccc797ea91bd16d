"""Measure how many events a second reach Kafka: python benchmarks/kafka_throughput.py.

Ours, from memory, with each client, and beside each the loop that somebody would write by hand with
the same client: json.dumps, the same key and headers, and a look at what became of every event.
They take turns in one run, against a private Kafka as the tests start it, each time in a process of
its own; what has arrived is counted at the broker. Printed are medians. Arguments name the ways to
measure: `ours-librdkafka hand-librdkafka ours-kafka-python hand-kafka-python`.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from kafka import KafkaConsumer, TopicPartition

from servers import Kafka

ROUNDS = 5
EVENTS = {"librdkafka": 200_000, "kafka-python": 50_000}
WAYS = ("ours-librdkafka", "hand-librdkafka", "ours-kafka-python", "hand-kafka-python")

COMMON = """
import json, sys, time, uuid

address, topic, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
dictionaries = [
    {
        "sender_id": f"conversation-{number % 100}", "event": "user",
        "timestamp": 1528402837.617099 + number, "text": "x" * 180, "input_channel": "rest",
        "metadata": {"number": number},
    }
    for number in range(count)
]

def report(cpu, begun):
    print(json.dumps([count / (time.perf_counter() - begun), (time.process_time() - cpu) / count]))
"""

OURS = """
import event_brokers

section = {
    "type": "kafka", "url": address, "topic": topic, "client": %r,
    "delivery": {"max_pending": 2 * count, "max_bytes": 2**31},
}
with event_brokers.connect(section) as broker:
    broker.publish(dictionaries[0])
    broker.flush(60)
    cpu, begun = time.process_time(), time.perf_counter()
    for dictionary in dictionaries[1:]:
        broker.publish(dictionary)
    assert broker.flush(300).pending == 0
    report(cpu, begun)
    assert broker.status().delivered == count
"""

HAND = {
    "librdkafka": """
from confluent_kafka import Producer

producer = Producer({
    "bootstrap.servers": address, "acks": "all", "enable.idempotence": True, "linger.ms": 5,
})
confirmed = 0

def note(error, message):
    global confirmed
    if error is not None:
        raise RuntimeError(error)
    confirmed += 1

def send(dictionary):
    headers = [("event_id", str(uuid.uuid4()).encode()), ("event_type", b"user")]
    while True:
        try:
            producer.produce(
                topic, json.dumps(dictionary).encode(), dictionary["sender_id"].encode(),
                headers=headers, on_delivery=note,
            )
        except BufferError:
            producer.poll(0.1)
        else:
            return

send(dictionaries[0])
producer.flush(60)
cpu, begun = time.process_time(), time.perf_counter()
for dictionary in dictionaries[1:]:
    send(dictionary)
    producer.poll(0)
producer.flush(300)
report(cpu, begun)
assert confirmed == count
""",
    "kafka-python": """
from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers=address, acks="all", enable_idempotence=True, linger_ms=5, batch_size=262144
)

def send(dictionary):
    headers = [("event_id", str(uuid.uuid4()).encode()), ("event_type", b"user")]
    body, key = json.dumps(dictionary).encode(), dictionary["sender_id"].encode()
    return producer.send(topic, body, key, headers)

send(dictionaries[0]).get(60)
cpu, begun = time.process_time(), time.perf_counter()
sent = [send(dictionary) for dictionary in dictionaries[1:]]
producer.flush()
assert all(future.succeeded() for future in sent)
report(cpu, begun)
producer.close()
""",
}


def measure(server: Kafka, way: str, topic: str) -> tuple[float, float]:
    """Return the events a second of one round, and the seconds of CPU that each has cost."""
    whose, _, client = way.partition("-")
    program = COMMON + (OURS % client if whose == "ours" else HAND[client])
    count = EVENTS[client]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, server.bootstrap(), topic, str(count)],
        stdout=subprocess.PIPE,
        check=True,
    )
    arrived = end_of(server, topic)
    if arrived != count:
        raise RuntimeError(f"{way}: {arrived} of {count} have arrived")
    a_second, cpu = json.loads(done.stdout)
    return a_second, cpu


def end_of(server: Kafka, topic: str) -> int:
    """Return how many records a topic with one partition holds."""
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=server.bootstrap())
    try:
        return int(consumer.end_offsets([partition])[partition])
    finally:
        consumer.close()


def main() -> None:
    """Print a line for each way, and the share that ours has of the loop written by hand."""
    ways = sys.argv[1:] or list(WAYS)
    rounds: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
    with Kafka() as server:
        for number in range(ROUNDS):
            for way in ways:
                rounds[way].append(measure(server, way, f"{way}-{number}"))
    medians = {way: statistics.median(rate for rate, _ in found) for way, found in rounds.items()}
    for way, found in rounds.items():
        rates = sorted(rate for rate, _ in found)
        cpu = statistics.median(cpu for _, cpu in found) * 1e6
        beside = medians.get(way.replace("ours", "hand"))
        share = f", {medians[way] / beside:.2f} of by hand" if beside and "ours" in way else ""
        print(
            f"{way}: {medians[way]:,.0f} events/s ({rates[0]:,.0f} to {rates[-1]:,.0f}), "
            f"{cpu:.1f} us of CPU an event{share}"
        )


if __name__ == "__main__":
    main()
