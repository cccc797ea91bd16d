"""What the page asks its server: what it is told, what it may change, and failures in words."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from asked_from import asked_from
from event_brokers import ConfigurationError, EventBroker, RejectedEvents
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from event_brokers_monitor import application, observer, streams
from waiting import wait_until

SECRET = "a-very-secret-password"
QUICK = Delays(first=0.01, first_halted=0.01, longest=0.05)


@dataclass
class Watched:
    """A broker with a spool, and a client of the page over it.

    Attributes:
        client: of the page.
        broker: publishes; its name is "memory".
        memory: where its events go.
        folder: of the spool.
    """

    client: TestClient
    broker: EventBroker
    memory: MemoryBroker
    folder: Path

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        """Return what a path answers."""
        answered = self.client.get(f"/api/{path}", params={"destination": "memory", **parameters})
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    def tell(self, path: str, **body: Any) -> dict[str, Any]:
        """Return what a path answers that changes something."""
        answered = self.client.post(f"/api/{path}", json={"destination": "memory", **body})
        assert answered.status_code == 200, answered.text
        found: dict[str, Any] = answered.json()
        return found

    def bury(self, *reasons: str) -> list[str]:
        """Publish an event for each reason, which the broker refuses for it; return their ids."""

        def refuse(batch: Any) -> None:
            raise RejectedEvents({each.id: why for each, why in zip(batch, reasons, strict=True)})

        self.memory.publishes.append(refuse)
        before = self.broker.status().dead_letters
        events = [{"event": "user", "sender_id": "ada", "text": SECRET} for _ in reasons]
        ids = self.broker.publish_many(events)
        wait_until(lambda: self.broker.status().dead_letters == before + len(reasons))
        return ids


@pytest.fixture
def watched(tmp_path: Path, alone: None) -> Iterator[Watched]:  # noqa: ARG001
    """Return a broker and the page over it."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        yield Watched(asked_from(application()), broker, memory, tmp_path / "spool")


def told(client: TestClient, path: str, number: str = "") -> list[tuple[str, str, Any]]:
    """Return what one stream tells from its beginning to its end: kind, number, what."""
    headers = {"last-event-id": number} if number else {}
    text = client.get(path, headers=headers).text
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.splitlines())
        if "event" in lines:
            found.append((lines["event"], lines["id"], json.loads(lines["data"])))
    return found


def test_a_stream_tells_the_history_first_and_goes_on_where_it_ended(watched: Watched) -> None:
    """It ends by itself, so that no server waits for it; the next one tells what is new alone."""
    watched.broker.publish({"event": "user"})
    watched.broker.flush(10)
    first = told(watched.client, "/api/stream")
    kinds = [kind for kind, _, _ in first]
    assert kinds[0] == "history"
    assert set(kinds[1:]) == {"sight"}
    (destination,) = first[-1][2]["destinations"]
    assert destination["delivered"] == 1
    assert destination["sentence"].startswith("Connected")
    second = told(watched.client, "/api/stream", first[-1][1])
    assert second[1][2]["time"] > first[-1][2]["time"]
    assert len(second[0][2]["memory"]) <= 2


def test_a_clock_that_is_put_back_silences_no_stream(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one tells what is seen from now on, and the history anew."""
    monkeypatch.setattr(streams, "STREAM_SECONDS", 1.5)
    with watched.client as client:
        first = told(client, "/api/stream")
        monkeypatch.setattr(observer, "time", SimpleNamespace(time=lambda: time.time() - 3600))
        second = told(client, "/api/stream", first[-1][1])
        third = told(client, "/api/stream", second[-1][1])
    assert third[1][2]["time"] < first[-1][2]["time"] - 3000
    assert third[1][2]["number"] > second[-1][2]["number"] > first[-1][2]["number"]
    assert second[-1][2]["destinations"][0]["name"] == "memory"


def test_a_look_that_hangs_does_not_keep_a_stream_open(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is asked to end waits for every stream; the page says how old it is."""
    monkeypatch.setattr(streams, "STREAM_SECONDS", 0.5)
    asked, release, returned = threading.Event(), threading.Event(), threading.Event()

    def hang(_spools: Any) -> Iterator[Any]:
        asked.set()
        release.wait(60)
        returned.set()
        yield from ()

    with watched.client as client:
        first = told(client, "/api/stream")
        monkeypatch.setattr(observer, "destinations", hang)
        wait_until(asked.is_set)
        known = first[-1][1]
        while following := told(client, "/api/stream", known):
            known = following[-1][1]
        assert told(client, "/api/stream")[-1][0] == "sight"  # the latest that there is
        assert not returned.is_set()
        release.set()


def test_dead_letters_are_grouped_counted_and_shown_without_bodies(watched: Watched) -> None:
    """The largest group first, with when its first and its last came, and five samples."""
    watched.bury(*["too large"] * 7, "no such field")
    found = watched.ask("dead-letters")
    assert [(group["reason"], group["count"]) for group in found["groups"]] == [
        ("too large", 7), ("no such field", 1),
    ]  # fmt: skip
    group = found["groups"][0]
    assert group["first"] <= group["last"]
    assert len(group["samples"]) == 5
    assert "body" not in group["samples"][0]
    assert SECRET not in json.dumps(found)


def test_more_reasons_than_a_page_can_hold_are_counted(watched: Watched) -> None:
    """Of a broker whose every reason names the event."""
    watched.bury(*(f"refused: number {number}" for number in range(130)))
    found = watched.ask("dead-letters")
    assert len(found["groups"]) == 100
    assert found["others"] == 30


def test_one_a_group_or_all_are_retried_and_dropped(watched: Watched) -> None:
    """And accepted = delivered + pending + dead letters all the time."""
    ids = watched.bury("a", "a", "b", "b", "c")
    assert watched.tell("dead-letters/retry", reason="a") == {"retried": 2}
    assert watched.tell("dead-letters/drop", ids=[ids[2]]) == {"dropped": 1}
    assert watched.tell("dead-letters/drop", ids=[ids[2], "unknown"]) == {"dropped": 0}
    wait_until(lambda: watched.memory.ids() == ids[:2])
    assert watched.tell("dead-letters/retry", all=True) == {"retried": 2}
    wait_until(lambda: watched.broker.status().delivered == 4)
    assert watched.ask("dead-letters") == {"groups": [], "others": 0, "until": None}
    assert watched.broker.status().accepted == 4


@pytest.mark.parametrize("chosen", [{"all": True}, {"reason": "a"}])
def test_what_came_after_the_question_stays(chosen: dict[str, Any], watched: Watched) -> None:
    """Whoever was asked about three dead letters has not agreed to the fourth."""
    ids = watched.bury("a", "a", "a")
    found = watched.ask("dead-letters")
    until = found["until"] if "all" in chosen else found["groups"][0]["until"]
    (later,) = watched.bury("a")
    assert watched.tell("dead-letters/drop", **chosen, until=until) == {"dropped": 3}
    assert watched.ask("whereabouts", id=later)["where"] == "dead letter"
    assert watched.ask("whereabouts", id=ids[0])["where"] == "left"


@pytest.mark.parametrize("path", ["retry", "drop"])
def test_dead_letters_that_are_not_those_of_the_question_stay(path: str, watched: Watched) -> None:
    """The last one of the question is gone, or was buried anew behind others since."""
    watched.bury("a", "b")
    until = watched.ask("dead-letters")["until"]
    watched.tell("dead-letters/drop", ids=[until["id"]])
    body = {"destination": "memory", "all": True, "until": until}
    answered = watched.client.post(f"/api/dead-letters/{path}", json=body)
    assert answered.status_code == 409
    assert "are no longer those" in answered.json()["error"]
    other = watched.ask("dead-letters")["until"]
    moved = {**body, "until": {**other, "time": other["time"] - 1}}
    assert watched.client.post(f"/api/dead-letters/{path}", json=moved).status_code == 409
    assert watched.broker.status().dead_letters == 1


def test_dropping_never_takes_an_event_that_waits(watched: Watched) -> None:
    """Its id may have been a dead letter's when the page was looked at."""
    watched.memory.hang()
    waiting = watched.broker.publish({"event": "user"})
    assert watched.tell("dead-letters/drop", ids=[waiting]) == {"dropped": 0}
    assert watched.ask("whereabouts", id=waiting) == {"where": "waits"}
    watched.memory.answer()
    wait_until(lambda: watched.ask("whereabouts", id=waiting) == {"where": "left"})


@pytest.mark.parametrize(
    "body",
    [
        {}, {"ids": ["a"], "all": True}, {"reason": "a", "ids": []}, {"all": False},
        {"ids": "a"}, {"reason": 1}, {"all": True, "until": "a"},
        {"ids": ["a"], "until": {"id": "a", "time": 1.0}},
        {"everything": True}, {"destination": None, "all": True},
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", ["retry", "drop"])
def test_what_does_not_say_clearly_which_dead_letters_changes_none(
    body: dict[str, Any], path: str, watched: Watched
) -> None:
    """A mistake drops nothing."""
    watched.bury("a")
    wanted = {"destination": "memory", **body}
    answered = watched.client.post(f"/api/dead-letters/{path}", json=wanted)
    assert answered.status_code == 400
    assert watched.broker.status().dead_letters == 1


def test_a_failure_is_a_sentence_and_no_secret(tmp_path: Path, alone: None) -> None:  # noqa: ARG001
    """Of dead letters in memory, of an event that is none, and of a spool that is not there yet."""
    spool = {"type": "sql", "db": "a.db", "delivery": {"spool": str(tmp_path / "none")}}
    with MemoryBroker().start():
        client = asked_from(application([spool]))
        for path, body, status, why in (
            ("dead-letters/drop", {"destination": "memory", "all": True}, 409, "in memory"),
            ("publish", {"destination": "memory", "event": [1]}, 400, "body: is not"),
            ("publish", {"destination": "sql", "event": {}}, 409, "nothing was published"),
            ("publish", {"destination": "nowhere", "event": {}}, 404, "there is none"),
        ):
            answered = client.post(f"/api/{path}", json=body)
            assert answered.status_code == status, answered.text
            assert why in answered.json()["error"]
        found = client.get("/api/dead-letters?destination=sql").json()
        assert found == {"groups": [], "others": 0, "until": None}
    assert not (tmp_path / "none").exists()


def test_a_section_without_a_spool_is_refused() -> None:
    """Nothing of it can be seen from here: neither that nothing waits nor that nobody delivers."""
    with pytest.raises(ConfigurationError, match=r"^event_broker\.delivery\.spool: events wait in"):
        application([{"type": "sql", "db": "a.db"}])


def test_where_latency_is_measured_the_page_says_so(tmp_path: Path, alone: None) -> None:  # noqa: ARG001
    """Of several brokers over one spool the first one delivers: of the other it is not known."""
    memory, other = MemoryBroker(QUICK), MemoryBroker(QUICK)
    spool = str(tmp_path / "spool")
    with memory.start(spool=spool) as delivering:
        delivering.publish({"event": "user"})
        delivering.flush(10)
        with other.start(spool=spool), MemoryBroker().start(), asked_from(application()) as client:
            shown = told(client, "/api/stream")[-1][2]["destinations"]
    found = {each["name"]: each["delivers_here"] for each in shown}
    assert found == {"memory": True, "memory-2": False, "memory-3": True}


def test_an_error_with_a_secret_is_shown_without_it(alone: None) -> None:  # noqa: ARG001
    """A broker's sentence can say what it was given."""
    memory = MemoryBroker(QUICK)
    memory.fail_to_connect(10_000, ConfigurationError(f"the password {SECRET} is wrong"))
    settings = memory.settings()
    with EventBroker(
        type(settings)(settings.plugin, {"password": SECRET}, settings.delivery), QUICK
    ):
        client = asked_from(application())
        shown = json.dumps([what for _, _, what in told(client, "/api/stream")])
        memory.connects.clear()
    assert "is wrong" in shown
    assert SECRET not in shown


def test_conversations_are_told_apart_and_in_order(watched: Watched) -> None:
    """What waits, and dead letters, without bodies; the latest conversation first."""
    watched.bury("refused")
    watched.memory.hang()
    for number in range(3):
        watched.broker.publish(
            {"event": f"e{number}", "sender_id": "bob", "timestamp": 100 - number}
        )
    watched.broker.publish({"event": "nobody's"})
    found = watched.ask("conversations")["conversations"]
    assert [(each["sender_id"], each["events"]) for each in found] == [("ada", 1), ("bob", 3)]
    events = watched.ask("conversation", sender_id="bob")["events"]
    assert [each["type"] for each in events] == ["e2", "e1", "e0"]
    assert {each["where"] for each in events} == {"waits"}
    assert watched.ask("conversation", sender_id="ada")["events"][0]["reason"] == "refused"
    assert SECRET not in json.dumps(watched.ask("conversation", sender_id="ada"))
    watched.memory.answer()


@pytest.mark.usefixtures("watched")
def test_a_mounted_page_begins_to_look_when_somebody_does() -> None:
    """A host that runs no lifespan of what it mounts, as Starlette and FastAPI do not."""
    client = asked_from(Starlette(routes=[Mount("/page", app=application())]))
    assert client.get("/page").url.path == "/page/"
    assert told(client, "/page/api/stream")[1][2]["destinations"][0]["name"] == "memory"


def test_a_body_without_end_is_not_read_to_its_end(watched: Watched) -> None:
    """A mebibyte is more than a test event needs."""
    body = json.dumps({"destination": "memory", "event": {"text": "x" * 1024 * 1024}}).encode()
    headers = {"content-type": "application/json"}
    answered = watched.client.post("/api/publish", content=body, headers=headers)
    assert answered.status_code == 413
