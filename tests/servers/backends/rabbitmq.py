"""A queue in RabbitMQ."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from servers import RabbitMQ
from servers.backends import Arrived, Backend

BACKENDS = (
    pytest.param("rabbitmq_backend", id="rabbitmq", marks=pytest.mark.xdist_group("rabbitmq")),
)


@pytest.fixture
def rabbitmq_backend(rabbitmq: RabbitMQ, name: str) -> Iterator[Backend]:
    """Return a queue in RabbitMQ, whose messages stay after they were read."""
    section = {
        "type": "pika", "url": rabbitmq.host, "port": rabbitmq.port,
        "username": rabbitmq.username, "password": rabbitmq.password, "queue": name,
    }  # fmt: skip
    arrived: list[Arrived] = []

    def read() -> list[Arrived]:
        with rabbitmq.connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(name, auto_ack=True)
                if method is None:
                    return arrived
                arrived.append(_message(properties, body))

    yield Backend(section, read, rabbitmq)
    with rabbitmq.connection() as connection:
        connection.channel().queue_delete(name)


def _message(properties: Any, body: bytes) -> Arrived:
    return Arrived(body, properties.message_id, json.loads(body).get("sender_id"), properties.type)
