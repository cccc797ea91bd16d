"""Events as they pass: seen while somebody looks, counted where they are too many, then no more."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from importlib import import_module
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
from stand_in import write_plugin
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


def told(client: TestClient, known: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what one stream tells of the events of `file` behind what is known, 0 for nothing."""
    headers = {"last-event-id": known}
    text = client.get("/api/passing?destination=file", headers=headers).text
    lines = [line.partition(": ") for line in text.splitlines()]
    ids = [value for key, _, value in lines if key == "id"]
    whats = [json.loads(value) for key, _, value in lines if key == "data"]
    return list(zip(ids, whats, strict=True))


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
    assert running.of("file") is watch
    assert {each.sender_id for each in running.seen("file")} == {"ada"}
    monkeypatch.setattr(passing, "_IDLE_SECONDS", 0.0)
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
        until_seen(broker, lambda: any(each["events"] for _, each in told(client, "0")))
        known, latest = told(client, "0")[-1]
        seen = begun = latest["events"][-1]["number"]
        broker.publish_many({"event": f"e{number}"} for number in range(10))
        while seen < begun + 10:
            passed = told(client, known)
            known = passed[-1][0]
            for _, each in passed:
                events = each["events"]
                assert len(events) <= 3
                seen += len(events) + each["missed"]
                assert not events or events[-1]["number"] == seen
        assert seen == begun + 10
    wait_until(lambda: not is_watched())


def test_the_numbers_of_another_process_are_not_compared(
    broker: EventBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several behind one address; a page that is given to another hears what is new there."""
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.0)
    with asked_from(application()) as client:
        until_seen(broker, lambda: any(each["events"] for _, each in told(client, "0")))
        known = told(client, "0")[-1][0]
        own, other = f"1-{known.split('-')[1]}-0", "1-another-0"
        broker.publish({"event": "user"})
        broker.flush(10)
        wait_until(lambda: int(told(client, "0")[-1][0].split("-")[0]) > 1)
        assert told(client, own)[0][1]["events"]
        assert told(client, other)[0][1]["events"] == []
    wait_until(lambda: not is_watched())


HANGING = """
import threading
from event_brokers import hookimpl

asked, release, returned = threading.Event(), threading.Event(), threading.Event()

@hookimpl
def connect(options):
    return object()

@hookimpl
def publish(connection, events):
    pass

@hookimpl
def close(connection):
    pass

@hookimpl
def consume(options, group, from_start, used):
    asked.set()
    release.wait(60)
    returned.set()
    yield None
"""


def test_a_broker_that_hangs_holds_up_no_stream(
    broker: EventBroker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what is told of all destinations, nor another's events, nor the end of the server."""
    write_plugin(tmp_path / "hanging", "hanging", HANGING, "hanging-plugin")
    monkeypatch.syspath_prepend(str(tmp_path / "hanging"))
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.0)
    with event_brokers.connect({"type": "hanging"}):
        hanging = import_module("hanging_plugin")
        with asked_from(application()) as client:
            assert client.get("/api/passing?destination=hanging").status_code == 200
            wait_until(hanging.asked.is_set)
            monkeypatch.setattr(passing, "_IDLE_SECONDS", 0.0)
            for _ in range(6):
                assert "event: sight" in client.get("/api/stream").text
            monkeypatch.setattr(passing, "_IDLE_SECONDS", 15.0)
            until_seen(broker, lambda: any(each["events"] for _, each in told(client, "0")))
            client.get("/api/passing?destination=hanging")
        assert not hanging.returned.is_set()
        hanging.release.set()
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
