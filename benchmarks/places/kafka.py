"""A topic of one partition in Kafka, a new one each time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from benchmarks.places.place import Place
from servers import Kafka

_SECONDS = 30
_AT_ONCE = 10_000


@contextmanager
def kafka(server: Kafka) -> Iterator[Place]:
    """Return the place in a running server."""
    names = (f"measured-{number}" for number in itertools.count())
    topic = ""

    def empty(_: Path) -> dict[str, Any]:
        nonlocal topic
        topic = next(names)
        client = AdminClient({"bootstrap.servers": server.bootstrap()})
        client.create_topics([NewTopic(topic, 1, 1)])[topic].result(_SECONDS)
        return {"type": "kafka", "url": server.bootstrap(), "topic": topic}

    def read(_: Path) -> Iterator[bytes]:
        return _records(server.bootstrap(), topic)

    yield Place(empty, read, server)


def _records(bootstrap: str, topic: str) -> Iterator[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "counts", "enable.auto.commit": False}
    )
    try:
        partition = TopicPartition(topic, 0, 0)
        _, left = consumer.get_watermark_offsets(partition, timeout=_SECONDS)
        consumer.assign([partition])
        while left > 0:
            found = consumer.consume(min(_AT_ONCE, left), _SECONDS)
            if not found:
                return
            for message in found:
                if (error := message.error()) is not None:
                    raise RuntimeError(str(error))
                yield message.value() or b""
            left -= len(found)
    finally:
        consumer.close()
