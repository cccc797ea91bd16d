"""Every broker type behind one face: its section of endpoints.yml, and a plain client to read."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition

from . import Kafka, MariaDB, PostgreSQL, RabbitMQ, ServerProcess


@dataclass(frozen=True)
class Arrived:
    """An event as the plain client of a broker shows it."""

    body: bytes
    event_id: str
    sender_id: str | None
    type: str | None


@dataclass(frozen=True)
class Backend:
    """One broker type.

    Attributes:
        section: what stands under `event_broker` in endpoints.yml.
        read: returns what has arrived so far, in order, read with the plain client alone.
        server: the server behind it; None for a file.
    """

    section: dict[str, Any]
    read: Callable[[], list[Arrived]]
    server: ServerProcess | None

    def at(self, port: int) -> dict[str, Any]:
        """Return the section for another port of the same server."""
        if self.section["type"] == "kafka":
            return {**self.section, "url": f"127.0.0.1:{port}"}
        return {**self.section, "port": port}


QUERY = "SELECT data, event_id, sender_id, type_name FROM {table} ORDER BY id"


def _row(row: tuple[Any, ...]) -> Arrived:
    return Arrived(row[0].encode(), *row[1:])


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """Return a name for the queue, topic or table of one test alone."""
    return f"events_{abs(hash(request.node.nodeid)) % 10**12}"


@pytest.fixture
def sqlite_backend(tmp_path: Path) -> Backend:
    """Return SQLite in a file."""
    file = tmp_path / "events.db"

    def read() -> list[Arrived]:
        with closing(sqlite3.connect(file)) as connection:
            return [_row(row) for row in connection.execute(QUERY.format(table="events"))]

    return Backend({"type": "sql", "dialect": "sqlite", "db": str(file)}, read, None)


def _sql_backend(server: PostgreSQL | MariaDB, dialect: str, table: str) -> Backend:
    section = {
        "type": "SQL", "dialect": dialect, "url": server.host, "port": server.port,
        "db": server.db, "username": server.username, "password": server.password, "table": table,
    }  # fmt: skip
    return Backend(
        section, lambda: [_row(row) for row in server.query(QUERY.format(table=table))], server
    )


@pytest.fixture
def postgresql_backend(postgresql: PostgreSQL, name: str) -> Backend:
    """Return a table in PostgreSQL."""
    return _sql_backend(postgresql, "postgresql", name)


@pytest.fixture
def mariadb_backend(mariadb: MariaDB, name: str) -> Backend:
    """Return a table in MariaDB."""
    return _sql_backend(mariadb, "mariadb", name)


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


@pytest.fixture
def kafka_backend(kafka: Kafka, name: str) -> Backend:
    """Return a topic in Kafka with one partition."""
    section = {"type": "kafka", "url": kafka.bootstrap(), "topic": name}
    return Backend(section, lambda: _records(kafka.bootstrap(), name), kafka)


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


def _message(properties: Any, body: bytes) -> Arrived:
    return Arrived(body, properties.message_id, json.loads(body).get("sender_id"), properties.type)


@pytest.fixture(
    params=[
        pytest.param("sqlite_backend", id="sqlite"),
        pytest.param(
            "postgresql_backend", id="postgresql", marks=pytest.mark.xdist_group("postgresql")
        ),
        pytest.param("mariadb_backend", id="mariadb", marks=pytest.mark.xdist_group("mariadb")),
        pytest.param("kafka_backend", id="kafka", marks=pytest.mark.xdist_group("kafka")),
        pytest.param("rabbitmq_backend", id="rabbitmq", marks=pytest.mark.xdist_group("rabbitmq")),
    ]
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Return each broker type in turn."""
    found: Backend = request.getfixturevalue(request.param)
    return found
