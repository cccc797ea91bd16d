"""A topic in Kafka, with each client."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from event_brokers_kafka.kafka_internals import ClosingClient
from servers import Kafka
from servers.backends import Arrived, Backend

# those of the tests close their sockets, too, and not only now and then
for _each in (KafkaAdminClient, KafkaConsumer, KafkaProducer):
    _each.DEFAULT_CONFIG["kafka_client"] = ClosingClient

BACKENDS = (
    pytest.param("kafka_backend", id="kafka", marks=pytest.mark.xdist_group("kafka")),
    pytest.param("librdkafka_backend", id="librdkafka", marks=pytest.mark.xdist_group("kafka")),
)


@pytest.fixture
def kafka_backend(kafka: Kafka, name: str) -> Backend:
    """Return a topic in Kafka with one partition."""
    section = {"type": "kafka", "url": kafka.bootstrap(), "topic": name}
    return Backend(
        section,
        lambda: _records(kafka.bootstrap(), name),
        kafka,
        lambda port: {"url": f"127.0.0.1:{port}"},
    )


@pytest.fixture
def librdkafka_backend(kafka_backend: Backend) -> Backend:
    """Return the same with the other client."""
    return replace(kafka_backend, section={"client": "librdkafka", **kafka_backend.section})


def _records(bootstrap: str, topic: str) -> list[Arrived]:
    partition = TopicPartition(topic, 0)
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        consumer.assign([partition])
        end = consumer.end_offsets([partition])[partition]
        arrived: list[Arrived] = []
        while consumer.position(partition) < end:
            arrived += map(_record, consumer.poll(timeout_ms=1000).get(partition, []))
        return arrived
    finally:
        consumer.close()


def _record(record: Any) -> Arrived:
    headers = {name: value.decode() for name, value in record.headers}
    sender_id = None if record.key is None else record.key.decode()
    return Arrived(record.value, headers["event_id"], sender_id, headers.get("event_type"))
