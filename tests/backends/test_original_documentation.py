"""The YAML of Rasa's documentation works here, with only hosts, ports and paths changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

import event_brokers
from servers import Kafka, PostgreSQL, RabbitMQ

PIKA = """
event_broker:
  type: pika
  url: {server.host}
  port: {server.port}
  username: {server.username}
  password: {server.password}
  queue: {name}
"""
KAFKA_SASL = """
event_broker:
  type: kafka
  security_protocol: SASL_PLAINTEXT
  topic: {name}
  url: {url}
  partition_by_sender: True
  sasl_username: {server.username}
  sasl_password: {server.password}
  sasl_mechanism: PLAIN
"""
KAFKA_SSL = """
event_broker:
  type: kafka
  security_protocol: SSL
  topic: {name}
  url: {url}
  ssl_cafile: {server.certificates.ca}
  ssl_certfile: {server.certificates.client_certificate}
  ssl_keyfile: {server.certificates.client_key}
  ssl_check_hostname: True
"""
SQLITE = """
event_broker:
  type: SQL
  dialect: sqlite
  db: {file}
"""
POSTGRESQL = """
event_broker:
  type: SQL
  url: {server.host}
  port: {server.port}
  dialect: postgresql
  username: {server.username}
  password: {server.password}
  db: {server.db}
"""
REST_OF_A_RASA_FILE = """
action_endpoint:
  url: "http://localhost:5055/webhook"
tracker_store:
  type: SQL
  dialect: sqlite
  db: rasa.db
models:
  url: http://my-server.com/models/default@latest
  wait_time_between_pulls: 10
"""


def delivers(folder: Path, section: str) -> None:
    """Publish one event by an endpoints.yml that Rasa's users have."""
    file = folder / "endpoints.yml"
    file.write_text(REST_OF_A_RASA_FILE + section, encoding="utf-8")
    with event_brokers.connect(file) as broker:
        broker.publish({"sender_id": "default", "event": "user", "text": "hi"})
        status = broker.flush(30)
    assert (status.delivered, status.pending) == (1, 0)


@pytest.mark.xdist_group("rabbitmq")
def test_pika(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    """Url, username, password and queue."""
    name = f"queue-{uuid4()}"
    delivers(tmp_path, PIKA.format(server=rabbitmq, name=name))
    with rabbitmq.connection() as connection:
        body = connection.channel().basic_get(name, auto_ack=True)[2]
    assert body == b'{"sender_id":"default","event":"user","text":"hi"}'


@pytest.mark.xdist_group("kafka")
@pytest.mark.parametrize(
    ("protocol", "section"), [("SASL_PLAINTEXT", KAFKA_SASL), ("SSL", KAFKA_SSL)]
)
def test_kafka(kafka: Kafka, tmp_path: Path, protocol: str, section: str) -> None:
    """With a password, and with certificates whose host name is checked."""
    url = kafka.bootstrap(protocol)
    delivers(tmp_path, section.format(server=kafka, url=url, name=f"topic-{uuid4()}"))


def test_sqlite(tmp_path: Path) -> None:
    """A type in capital letters, a dialect and a file."""
    file = tmp_path / "events.db"
    delivers(tmp_path, SQLITE.format(file=file))
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT sender_id FROM events").fetchall() == [("default",)]


@pytest.mark.xdist_group("postgresql")
def test_postgresql(postgresql: PostgreSQL, tmp_path: Path) -> None:
    """Url, port, dialect, username, password and db, into the table `events`."""
    delivers(tmp_path, POSTGRESQL.format(server=postgresql))
    assert postgresql.query("SELECT COUNT(*) FROM events") == [(1,)]
    postgresql.query("DROP TABLE events")
