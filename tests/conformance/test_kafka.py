"""`type: kafka` holds the contract, with each client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

from event_brokers.testing import Arrived, Conformance
from servers import Kafka


@pytest.mark.xdist_group("kafka")
class TestKafka(Conformance):
    """A topic with one partition."""

    type = "kafka"

    @pytest.fixture(autouse=True)
    def broker(self, kafka: Kafka) -> None:
        """Take the server."""
        self.server = kafka

    def options(self) -> Mapping[str, Any]:
        """Return a topic of the test's own."""
        return {"url": self.server.bootstrap(), "topic": self.name}

    def arrived(self) -> list[Arrived]:
        """Read the topic from its beginning, with a consumer that is no member of a group."""
        partition = TopicPartition(self.name, 0)
        consumer = KafkaConsumer(
            bootstrap_servers=self.server.bootstrap(), auto_offset_reset="earliest"
        )
        try:
            consumer.assign([partition])
            end = consumer.end_offsets([partition])[partition]
            found: list[Arrived] = []
            while consumer.position(partition) < end:
                found += map(_arrived, consumer.poll(timeout_ms=1000).get(partition, []))
            return found
        finally:
            consumer.close()

    def break_server(self) -> None:
        """Kill the server."""
        self.server.kill()

    def mend_server(self) -> None:
        """Start the server."""
        self.server.restart()

    def server_port(self) -> int:
        """Return the port of the listener that is advertised at the proxy's."""
        return self.server.port_behind_proxy

    def proxy_port(self) -> int:
        """Return the port that Kafka tells its clients."""
        return self.server.proxy_port

    def at(self, port: int) -> Mapping[str, Any]:
        """Return the options for another port."""
        return {**self.options(), "url": f"{self.server.host}:{port}"}

    def refused_event(self) -> Mapping[str, Any]:
        """Return an event that is larger than the topic takes."""
        return {"text": "x" * 2_000_000}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options that sign in, with a password."""
        return {
            "url": self.server.bootstrap("SASL_PLAINTEXT"), "topic": self.name,
            "security_protocol": "SASL_PLAINTEXT", "sasl_username": self.server.username,
            "sasl_password": password,
        }  # fmt: skip

    def over_tls(self, port: int, authority: str) -> Mapping[str, Any]:
        """Return the options with TLS."""
        return {**self.at(port), "security_protocol": "SSL", "ssl_cafile": authority}

    def place_exists(self) -> bool:
        """Return whether the topic is there."""
        admin = KafkaAdminClient(bootstrap_servers=self.server.bootstrap())
        try:
            return self.name in admin.list_topics()
        finally:
            admin.close()

    def put(self, body: bytes) -> None:
        """Send a record."""
        self.subject.connect(self.options()).end()
        producer = KafkaProducer(bootstrap_servers=self.server.bootstrap())
        try:
            producer.send(self.name, body)
            producer.flush(10)
        finally:
            producer.close()


class TestLibrdkafka(TestKafka):
    """The same with the other client."""

    def options(self) -> Mapping[str, Any]:
        """Return a topic of the test's own, and the client."""
        return {**super().options(), "client": "librdkafka"}

    def with_password(self, password: str) -> Mapping[str, Any]:
        """Return the options that sign in, and the client."""
        return {**super().with_password(password), "client": "librdkafka"}


def _arrived(record: Any) -> Arrived:
    headers = {name: value.decode() for name, value in record.headers}
    return Arrived(record.value, headers.get("event_id"), headers)
