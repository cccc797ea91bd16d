"""The example for Elasticsearch, against a stand-in of its `_bulk`: nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

import event_brokers
from http_endpoint import Arrival, HttpEndpoint, status
from servers import RabbitMQ
from servers.backends import Backend
from waiting import wait_until
from wheels import ROOT

PROGRAM = ROOT / "examples" / "consume_into_elasticsearch.py"
BACKENDS = [
    pytest.param("sqlite_backend", id="sqlite"),
    pytest.param("rabbitmq_backend", id="rabbitmq", marks=pytest.mark.xdist_group("rabbitmq")),
    pytest.param("kafka_backend", id="kafka", marks=pytest.mark.xdist_group("kafka")),
]
REFUSED = "a text that the mapping does not take"


class Elasticsearch(HttpEndpoint):
    """Indexes what a bulk says, as the original answers it.

    Attributes:
        documents: by their ids.
        bulks: the ids of each bulk.
        busy: how many items are answered with 429 before any is taken.
    """

    def __init__(self) -> None:
        super().__init__()
        self.documents: dict[str, dict[str, Any]] = {}
        self.bulks: list[list[str]] = []
        self.busy = 0
        self.answer = self._bulk

    def _bulk(self, connection: socket.socket, arrival: Arrival) -> bool:
        assert (arrival.method, arrival.target) == ("POST", "/_bulk")
        assert arrival.headers["content-type"] == "application/x-ndjson"
        assert arrival.body.endswith(b"\n")
        lines = [json.loads(line) for line in arrival.body.splitlines()]
        items = []
        self.bulks.append([])
        for action, document in zip(lines[::2], lines[1::2], strict=True):
            assert action["index"]["_index"] == "rasa-events"
            self.bulks[-1].append(action["index"]["_id"])
            items.append({"index": self._item(action["index"]["_id"], document)})
        errors = any("error" in item["index"] for item in items)
        body = json.dumps({"took": 1, "errors": errors, "items": items}).encode()
        return status(200, body=body, Content_Type="application/json")(connection, arrival)

    def _item(self, document_id: str, document: dict[str, Any]) -> dict[str, Any]:
        if self.busy:
            self.busy -= 1
            return {"status": 429, "error": {"type": "es_rejected_execution_exception"}}
        if document.get("text") == REFUSED:
            return {"status": 400, "error": {"type": "document_parsing_exception"}}
        is_new = document_id not in self.documents
        self.documents[document_id] = document
        return {"status": 201 if is_new else 200, "_id": document_id}


@pytest.fixture
def elasticsearch() -> Iterator[Elasticsearch]:
    """Return an index that is empty."""
    with Elasticsearch() as server:
        yield server


@contextmanager
def indexing(folder: Path, url: str) -> Iterator[subprocess.Popen[str]]:
    """Run the example in a folder until the block ends, by SIGKILL."""
    command = [sys.executable, "-Wdefault", str(PROGRAM), "--url", url]
    with subprocess.Popen(
        command, cwd=folder, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def publish(section: dict[str, Any], folder: Path, events: list[dict[str, Any]]) -> list[str]:
    """Publish events, and write the endpoints.yml that leads to them."""
    (folder / "endpoints.yml").write_text(yaml.safe_dump({"event_broker": section}))
    with event_brokers.connect(section) as broker:
        ids = broker.publish_many(events)
        assert broker.flush(60).pending == 0
    return ids


@pytest.mark.parametrize("fixture", BACKENDS)
def test_every_event_becomes_a_document(
    fixture: str, request: pytest.FixtureRequest, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    """With its id as the document's, through an index that is busy, refuses one, and is away."""
    backend: Backend = request.getfixturevalue(fixture)
    events = [
        {"sender_id": str(number % 7), "event": "user", "timestamp": 1528402837.6, "n": number}
        for number in range(60)
    ]
    events[20]["text"] = REFUSED
    ids = publish(backend.section, tmp_path, events)
    elasticsearch.busy = 3
    elasticsearch.answers.extend([status(503), status(429)])
    with indexing(tmp_path, elasticsearch.url.removesuffix("/events")):
        wait_until(lambda: len(elasticsearch.documents) >= 30, 60)
        elasticsearch.stop()
        elasticsearch.start()
        wait_until(lambda: len(elasticsearch.documents) == 59, 60)
        aside = tmp_path / "refused.jsonl"
        wait_until(aside.exists, 20)
    wanted = dict(zip(ids, events, strict=True))
    (refused,) = map(json.loads, aside.read_text(encoding="utf-8").splitlines())
    assert refused["id"] == ids[20]
    assert refused["reason"] == "document_parsing_exception"
    assert json.loads(refused["body"]) == wanted.pop(ids[20])
    for document in elasticsearch.documents.values():
        assert document.pop("@timestamp") == "2018-06-07T20:20:37.600000+00:00"
    assert elasticsearch.documents == wanted


@pytest.mark.parametrize("fixture", BACKENDS)
def test_a_program_that_is_killed_loses_nothing(
    fixture: str, request: pytest.FixtureRequest, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    """SIGKILL amid bulks, several times: what was in hand comes again, into the same document."""
    backend: Backend = request.getfixturevalue(fixture)
    ids = publish(backend.section, tmp_path, [{"n": number} for number in range(200)])
    for reached in (20, 60, 200):
        with indexing(tmp_path, elasticsearch.url.removesuffix("/events")):
            wait_until(lambda: len(elasticsearch.documents) >= reached, 90)  # noqa: B023 - at once
    assert {elasticsearch.documents[event_id]["n"] for event_id in ids} == set(range(200))
    assert len(elasticsearch.documents) == 200


@pytest.mark.xdist_group("rabbitmq")
def test_consumers_fill_a_bulk_together(
    rabbitmq: RabbitMQ, rabbitmq_backend: Backend, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    """Several events in one request, and none in two that are under way at once."""
    publish(rabbitmq_backend.section, tmp_path, [{"n": number} for number in range(2000)])
    everybody_has_one = threading.Event()

    def answer_late(connection: socket.socket, arrival: Arrival) -> bool:
        everybody_has_one.wait(60)
        return elasticsearch.answer(connection, arrival)

    elasticsearch.answers.append(answer_late)
    with indexing(tmp_path, elasticsearch.url.removesuffix("/events")):
        wait_until(lambda: _unacknowledged(rabbitmq, rabbitmq_backend) == 8 * 200, 60)
        everybody_has_one.set()
        wait_until(lambda: len(elasticsearch.documents) == 2000, 60)
    assert max(map(len, elasticsearch.bulks)) > 1
    assert all(len(set(bulk)) == len(bulk) for bulk in elasticsearch.bulks)


def _unacknowledged(rabbitmq: RabbitMQ, backend: Backend) -> int:
    """Return how many messages the consumers have, of which each takes 200 at a time."""
    listed = rabbitmq.control("list_queues", "-q", "name", "messages_unacknowledged").split()
    return int(listed[listed.index(backend.section["queue"]) + 1])


def test_what_a_person_must_change_ends_the_program(
    sqlite_backend: Backend, elasticsearch: Elasticsearch, tmp_path: Path
) -> None:
    """A wrong key, or a broker that is configured wrongly: one sentence, nothing acknowledged."""
    publish(sqlite_backend.section, tmp_path, [{"n": 1}])
    elasticsearch.answers.append(status(401))
    url = elasticsearch.url.removesuffix("/events")
    with indexing(tmp_path, url) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "answers 401: check the url, the index and ELASTIC_API_KEY" in process.stderr.read()
    with indexing(tmp_path, url):
        wait_until(lambda: len(elasticsearch.documents) == 1, 30)
    (tmp_path / "endpoints.yml").write_text("event_broker: {type: sql, tabel: x}\n")
    with indexing(tmp_path, url) as process:
        assert process.wait(30) == 1
        assert process.stderr is not None
        assert "tabel: unknown option of 'sql'" in process.stderr.read()
