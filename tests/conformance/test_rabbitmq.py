"""`type: pika` holds the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pika
import pytest

from event_brokers.testing import Arrived, Conformance
from servers import RabbitMQ


@pytest.mark.xdist_group("rabbitmq")
class TestRabbitMQ(Conformance):
    """Two queues, each of which gets every event, from an exchange."""

    type = "pika"

    @pytest.fixture(autouse=True)
    def broker(self, rabbitmq: RabbitMQ) -> Iterator[None]:
        """Take the server, and leave no queue behind."""
        self.server = rabbitmq
        self._taken: list[Arrived] = []
        yield
        rabbitmq.recover()
        with rabbitmq.connection() as connection:
            channel = connection.channel()
            for queue in self.groups():
                channel.queue_delete(queue)
            channel.exchange_delete(self.name)

    def options(self) -> Mapping[str, Any]:
        """Return queues and an exchange of the test's own."""
        return self.at(self.server.port)

    def groups(self) -> tuple[str, str]:
        """Return the queues: each is a group of consumers."""
        return (self.name, f"{self.name}_other")

    def arrived(self) -> list[Arrived]:
        """Take the messages out of the first queue, and keep them."""
        with self.server.connection() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(self.name, auto_ack=True)
                if method is None:
                    return list(self._taken)
                self._taken.append(_arrived(properties, body))

    def break_server(self) -> None:
        """Kill the server."""
        self.server.kill()

    def mend_server(self) -> None:
        """Start the server."""
        self.server.restart()

    def server_port(self) -> int:
        """Return the server's port."""
        return self.server.port

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options for another port."""
        return {
            "url": self.server.host, "port": port, "username": self.server.username,
            "password": self.server.password, "queue": list(self.groups()),
            "exchange_name": self.name,
        }  # fmt: skip

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event whose type is more than fits into a frame."""
        return {"event": "x" * 200_000}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options with another password."""
        return {**self.options(), "password": password}

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        return {
            **self.options(), "url": f"amqps://{self.server.host}:{port}", "port": port,
            "ssl_cafile": authority,
        }  # fmt: skip

    def place_exists(self) -> bool:
        """Return whether a queue is there."""
        return self.name in self.server.control("list_queues", "name").split()

    def put(self, body: bytes) -> None:
        """Publish by the exchange."""
        self.subject.connect(self.options()).end()
        with self.server.connection() as connection:
            connection.channel().basic_publish(self.name, "", body)

    @pytest.mark.xfail(reason="a queue begins with the oldest event that nobody has taken")
    def test_a_new_group_begins_with_what_is_new(self) -> None:
        """With RabbitMQ a group is a queue, which is there before its consumers."""


def _arrived(properties: pika.BasicProperties, body: bytes) -> Arrived:
    headers: Mapping[str, Any] = properties.headers or {}
    texts = {name: str(value) for name, value in headers.items()}
    return Arrived(body, properties.message_id, {**texts, "event_type": properties.type})
