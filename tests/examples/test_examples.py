"""Every program of examples/, run as its reader would, against real servers."""

from __future__ import annotations

import ast
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import event_brokers
from servers import Kafka, RabbitMQ
from servers.backends import Backend
from waiting import wait_until
from wheels import ROOT

EVENTS = [
    json.loads(line)
    for line in (ROOT / "tests/data/rasa-3.6.21-events.jsonl").read_text("utf-8").splitlines()
]
WARNINGS = ["-Wdefault"]  # of the client libraries, which are not ours to mend


def publish(section: dict[str, Any]) -> list[str]:
    """Publish the events of the data, and return their ids."""
    with event_brokers.connect(section) as broker:
        ids = broker.publish_many(EVENTS)
        assert broker.flush(60).pending == 0
    return ids


@contextmanager
def running(folder: Path, example: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run an example in a folder until the block ends."""
    command = [sys.executable, *WARNINGS, str(ROOT / "examples" / example), *words]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str], count: int) -> list[str]:
    """Return the next lines that a program prints."""
    assert process.stdout is not None
    return [process.stdout.readline().rstrip("\n") for _ in range(count)]


def write_endpoints(folder: Path, section: dict[str, Any]) -> None:
    """Write endpoints.yml."""
    (folder / "endpoints.yml").write_text(yaml.safe_dump({"event_broker": section}))


@pytest.mark.xdist_group("rabbitmq")
@pytest.mark.parametrize("with_tls", [False, True], ids=["plain", "tls"])
def test_the_plain_consumer_of_rabbitmq(
    rabbitmq: RabbitMQ, rabbitmq_backend: Backend, tmp_path: Path, with_tls: bool
) -> None:
    """It prints every event, and acknowledges it."""
    ids = publish(rabbitmq_backend.section)
    words = {
        "host": rabbitmq.host, "port": rabbitmq.port, "username": rabbitmq.username,
        "password": rabbitmq.password, "queue": rabbitmq_backend.section["queue"],
    }  # fmt: skip
    if with_tls:
        words |= {
            "host": "localhost",
            "port": rabbitmq.tls_port,
            "cafile": rabbitmq.certificates.ca,
            "certfile": rabbitmq.certificates.client_certificate,
            "keyfile": rabbitmq.certificates.client_key,
        }
    given = [text for name, value in words.items() for text in (f"--{name}", str(value))]
    with running(tmp_path, "consume_pika.py", *given) as program:
        printed = [line.partition(" ") for line in lines(program, len(EVENTS))]
    assert [event_id for event_id, _, _ in printed] == ids
    assert [json.loads(event) for _, _, event in printed] == EVENTS


@pytest.mark.xdist_group("kafka")
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"])
def test_the_plain_consumer_of_kafka(
    kafka: Kafka, kafka_backend: Backend, tmp_path: Path, protocol: str
) -> None:
    """It prints every event, whatever the listener asks for."""
    publish(kafka_backend.section)
    words = {"url": kafka.bootstrap(protocol), "topic": kafka_backend.section["topic"]}
    if protocol.startswith("SASL"):
        words |= {"username": kafka.username, "password": kafka.password}
    if protocol.endswith("SSL"):
        words |= {
            "cafile": str(kafka.certificates.ca),
            "certfile": str(kafka.certificates.client_certificate),
            "keyfile": str(kafka.certificates.client_key),
        }
    given = [text for name, value in words.items() for text in (f"--{name}", value)]
    with running(tmp_path, "consume_kafka.py", *given) as program:
        printed = [line.split(" ", 2) for line in lines(program, len(EVENTS))]
    assert [json.loads(event) for _, _, event in printed] == EVENTS


def test_five_lines_read_from_every_broker(backend: Backend, tmp_path: Path) -> None:
    """The same program, whichever broker endpoints.yml names."""
    if backend.is_endpoint:
        pytest.skip("nothing can be read back from it")
    ids = publish(backend.section)
    write_endpoints(tmp_path, backend.section)
    with running(tmp_path, "consume.py") as program:
        printed = [line.partition(" ") for line in lines(program, len(EVENTS))]
    assert [event_id for event_id, _, _ in printed] == ids
    assert [ast.literal_eval(event) for _, _, event in printed] == EVENTS


def test_messages_are_written_into_a_database_once(sqlite_backend: Backend, tmp_path: Path) -> None:
    """Also where the program is killed and begins again."""
    publish(sqlite_backend.section)
    write_endpoints(tmp_path, sqlite_backend.section)

    def written() -> list[tuple[str, str]]:
        if not (tmp_path / "messages.db").exists():
            return []
        with closing(sqlite3.connect(tmp_path / "messages.db")) as database:
            try:
                found = database.execute("SELECT said_by, text FROM messages").fetchall()
            except sqlite3.OperationalError:
                return []  # the table is not made yet
        return found

    for _ in range(2):
        with running(tmp_path, "consume_into_database.py", "messages.db"):
            wait_until(lambda: len(written()) == 2)
    assert written() == [
        (event["event"], event["text"]) for event in EVENTS if event["event"] in ("user", "bot")
    ]


def test_tasks_of_asyncio_publish_at_once(backend: Backend, tmp_path: Path) -> None:
    """Every conversation arrives, in its own order."""
    write_endpoints(tmp_path, backend.section)
    with running(tmp_path, "publish_from_asyncio.py") as program:
        assert lines(program, 1) == ["9 delivered, 0 pending"]
        assert program.wait(30) == 0
    bodies = [json.loads(each.body) for each in backend.read()]
    for number in range(3):
        mine = [body["text"] for body in bodies if body["sender_id"] == f"guest-{number}"]
        assert mine == ["hi", "a table for two", "bye"]
