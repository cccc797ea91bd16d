"""The same promises, held by every broker type against its real server."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

import event_brokers
from servers.backends import Backend
from waiting import wait_until

EVENTS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def first_occurrences(ids: list[str]) -> list[str]:
    """Return the ids without those that arrived a second time."""
    return list(dict.fromkeys(ids))


def test_every_event_of_rasa_arrives_as_it_is(backend: Backend) -> None:
    """Body, id, sender, type and order are what the application handed over."""
    with event_brokers.connect(backend.section) as broker:
        ids = [broker.publish(event) for event in EVENTS]
        status = broker.flush(60)
    assert (status.delivered, status.pending, status.dead_letters) == (len(EVENTS), 0, 0)
    arrived = backend.read()
    assert [json.loads(found.body) for found in arrived] == EVENTS
    assert [found.event_id for found in arrived] == ids
    assert [found.sender_id for found in arrived] == [event["sender_id"] for event in EVENTS]
    assert [found.type for found in arrived] == [event["event"] for event in EVENTS]


def test_ten_thousand_events_of_eight_threads_arrive_in_order(backend: Backend) -> None:
    """All methods are safe from any thread, and no conversation overtakes itself."""

    def publish(sender: int) -> None:
        for number in range(1250):
            broker.publish({"sender_id": str(sender), "number": number}, timeout=60)

    with event_brokers.connect(backend.section) as broker:
        threads = [threading.Thread(target=publish, args=(sender,)) for sender in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert broker.flush(60).delivered == 10_000
    numbers: dict[str, list[int]] = {}
    for found in backend.read():
        event = json.loads(found.body)
        numbers.setdefault(event["sender_id"], []).append(event["number"])
    assert numbers == {str(sender): list(range(1250)) for sender in range(8)}


def test_a_broker_that_is_down_at_the_start_gets_every_event_later(backend: Backend) -> None:
    """publish accepts at once, and delivery begins by itself when the server comes."""
    if backend.server is None:
        pytest.skip("a file has no server that could be down")
    backend.server.kill()
    with event_brokers.connect(backend.section) as broker:
        ids = [broker.publish({"sender_id": "a", "number": number}) for number in range(100)]
        assert wait_until(lambda: broker.status().state == "retrying")
        assert "refused the connection" in str(broker.status().last_error)
        backend.server.restart()
        assert broker.flush(60).delivered == 100
    assert first_occurrences([found.event_id for found in backend.read()]) == ids


def test_a_broker_killed_in_mid_stream_loses_nothing(backend: Backend) -> None:
    """Everything accepted arrives after a kill -9, first occurrences in the order published."""
    if backend.server is None:
        pytest.skip("a file has no server that could be killed")
    with event_brokers.connect(backend.section) as broker:
        ids = []
        for number in range(6000):
            ids.append(broker.publish({"sender_id": "a", "number": number}))
            if number == 3000:
                wait_until(lambda: broker.status().delivered)
                backend.server.kill()
        backend.server.restart()
        assert broker.flush(90).pending == 0
    assert first_occurrences([found.event_id for found in backend.read()]) == ids


@pytest.mark.parametrize(
    ("changes", "state", "sentence"),
    [
        ({"password": "wrong-canary"}, "halted", "event_broker.password: "),
        ({"url": "nowhere.invalid"}, "retrying", "no address found for host 'nowhere.invalid'"),
        ({"port": 1}, "retrying", "127.0.0.1:1 refused the connection"),
    ],
    ids=["password", "host", "port"],
)
def test_what_is_wrong_is_said_in_a_sentence(
    backend: Backend, changes: dict[str, Any], state: str, sentence: str
) -> None:
    """A person reads which option to change, and never a secret."""
    if backend.server is None:
        pytest.skip("a file has neither host nor password")
    if "password" in changes and "password" not in backend.section:
        pytest.skip("nobody logs in on this listener")
    section = {**backend.section, **changes}
    if "port" not in backend.section and "port" in changes:
        section = {**backend.section, "url": f"127.0.0.1:{changes['port']}"}
    with event_brokers.connect(section) as broker:
        error = str(wait_until(lambda: broker.status().last_error))
        assert broker.status().state == state
    assert sentence in error
    assert "canary" not in error
