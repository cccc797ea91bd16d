"""Events as they pass: seen while somebody looks, counted where they are too many, then no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import event_brokers
from asked_from import asked_from
from event_brokers import EventBroker
from event_brokers.consumer import RECEIVED
from event_brokers.destinations import destinations
from event_brokers.testing import MemoryBroker
from event_brokers_monitor import application, passing, streams
from event_brokers_monitor.passing import Watches
from monitor.seeing import until_seen
from waiting import wait_until

pytestmark = pytest.mark.usefixtures("alone")
THREAD = "monitor-events"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EventBroker]:
    """Return a broker whose events can be read back."""
    section = {"type": "file", "path": str(tmp_path / "events.jsonl")}
    with event_brokers.connect(section) as opened:
        opened.publish({"event": "before"})
        opened.flush(10)
        yield opened


def watches() -> Watches:
    """Return watches over what is open."""

    def find(name: str) -> Any:
        return next((each for each in destinations() if each.look.name == name), None)

    return Watches(find, shows_bodies=False)


def is_watched() -> bool:
    """Return whether a thread watches."""
    return any(each.name == THREAD for each in threading.enumerate())


def told(client: TestClient, number: str = "") -> list[dict[str, Any]]:
    """Return what one stream tells of the events of `file`."""
    headers = {"last-event-id": number} if number else {}
    text = client.get("/api/passing?destination=file", headers=headers).text
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_a_watch_ends_when_nobody_looks_any_more(
    broker: EventBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its consumer and its thread; looking at conversations does not keep it."""
    running = watches()
    watch = running.of("file")
    assert watch is not None
    until_seen(broker, lambda: watch.number > 0)
    event = watch.ask(0, 10)[-1]
    assert (event.type, event.sender_id, event.body) == ("user", "ada", None)
    assert len(RECEIVED.all()) == 1
    running.end_idle()
    assert running.of("file") is watch
    monkeypatch.setattr(passing, "_IDLE_SECONDS", 0.0)
    assert {each.sender_id for each in running.seen("file")} == {"ada"}
    running.end_idle()
    wait_until(lambda: not is_watched())
    assert RECEIVED.all() == []
    assert running.seen("file") == []


def test_a_destination_that_is_not_there_is_not_watched() -> None:
    """It may have been closed since the page was opened."""
    assert watches().of("nowhere") is None
    assert asked_from(application()).get("/api/passing?destination=x").status_code == 404


def test_what_passes_too_quickly_is_counted(
    broker: EventBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The latest are shown; the next stream goes on behind them."""
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.0)
    monkeypatch.setattr(streams, "AT_ONCE", 3)
    with asked_from(application()) as client:
        until_seen(broker, lambda: any(each["events"] for each in told(client)))
        seen = begun = max(each["events"][-1]["number"] for each in told(client, "0"))
        broker.publish_many({"event": f"e{number}"} for number in range(10))
        while seen < begun + 10:
            for each in told(client, str(seen)):
                events = each["events"]
                assert len(events) <= 3
                seen += len(events) + each["missed"]
                assert not events or events[-1]["number"] == seen
        assert seen == begun + 10
    wait_until(lambda: not is_watched())


def test_events_that_cannot_be_read_back_are_seen_while_they_wait() -> None:
    """Each once, in the order in which they came; the page says what may be missing."""
    memory = MemoryBroker()
    memory.hang()
    with memory.start() as broker:
        running = watches()
        watch = running.of("memory")
        assert watch is not None
        ids = broker.publish_many({"n": number} for number in range(20))
        wait_until(lambda: watch.number == 20)
        more = broker.publish({"n": 20})
        wait_until(lambda: watch.number == 21)
        assert [each.id for each in watch.ask(0, 50)] == [*ids, more]
        assert "what leaves at once is missing" in watch.note
        assert "cannot be consumed from" in watch.note
        memory.answer()
        running.end_all()
        wait_until(lambda: not is_watched())


def test_no_more_pages_are_open_than_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is told so, and the others go on."""
    monkeypatch.setattr(streams.Streams, "__init__", _without_room)
    answered = asked_from(application()).get("/api/stream")
    assert answered.status_code == 429
    assert answered.json() == {"error": "too many pages are open; close one"}


def _without_room(self: Any) -> None:
    self._most = self._open = 0
