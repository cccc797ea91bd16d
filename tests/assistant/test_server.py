"""The HTTP API: Rasa's as its users call it, an error in JSON for every mistake, never a 500."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import event_brokers
from event_brokers import ConfigurationError
from event_brokers_assistant import Agent, InMemoryTrackerStore, Message
from event_brokers_assistant.access import Access
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.server import application
from event_brokers_assistant.tracker import DialogueStateTracker
from metric_samples import Samples

WEBHOOK = "/webhooks/rest/webhook"
RASA = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


def answer(_tracker: DialogueStateTracker, message: Message) -> list[str]:
    """Say what was said, and how it came."""
    if message.text == "fail":
        raise RuntimeError("the model's own")
    return [f"you said {message.text}", f"by {message.input_channel}, {message.metadata}"]


def client_for(agent: Agent, access: Access | None = None) -> TestClient:
    """Return a client of an assistant without a broker."""
    assistant = Assistant(agent, None, None, "in memory")
    return TestClient(application(assistant, access or Access()), raise_server_exceptions=False)


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Return a client of an assistant whose conversations are in memory."""
    with client_for(Agent(answer)) as made:
        yield made


def test_the_webhook_answers_as_rasas_rest_channel(client: TestClient) -> None:
    """The sender, the message and the metadata go in; what the bot said comes out."""
    body = {"sender": "me", "message": "hi", "metadata": {"k": 1}}
    answered = client.post(WEBHOOK, json=body)
    assert (answered.status_code, answered.json()) == (
        200,
        [
            {"recipient_id": "me", "text": "you said hi"},
            {"recipient_id": "me", "text": "by rest, {'k': 1}"},
        ],
    )
    assert client.post(WEBHOOK, json={"message": "hi"}).json()[0]["recipient_id"] == "default"
    assert client.post(WEBHOOK, json={"sender": 5, "message": "x"}).json()[0]["recipient_id"] == "5"
    assert client.get("/webhooks/rest/").json() == {"status": "ok"}


@pytest.mark.parametrize("token", ["", "  "])
def test_an_empty_token_is_refused(token: str) -> None:
    """Whoever gives none would be let in."""
    with pytest.raises(ConfigurationError, match=r"^Access\.token: is empty; "):
        Access(token)


def test_the_tracker_shows_the_conversation(client: TestClient) -> None:
    """With the events after the latest restart, or those that are asked for."""
    client.post(WEBHOOK, json={"sender": "a/b c", "message": "hi"})
    client.post("/conversations/a/b c/tracker/events", json={"event": "restart"})
    client.post(WEBHOOK, json={"sender": "a/b c", "message": "again"})
    shown = client.get("/conversations/a%2Fb%20c/tracker").json()
    assert shown["sender_id"] == "a/b c"
    assert [event["event"] for event in shown["events"]][3] == "user"
    assert shown["latest_message"]["text"] == "again"

    def count(events: str) -> int:
        answered = client.get(f"/conversations/a/b c/tracker?include_events={events}").json()
        return len(answered["events"] or [])

    assert count("ALL") == count("AFTER_RESTART") * 2 + 1
    assert count("applied") == count("AFTER_RESTART") - 2
    assert count("NONE") == 0


def test_a_conversation_that_is_new_is_empty(client: TestClient) -> None:
    """Looking at it does not make it."""
    shown = client.get("/conversations/nobody/tracker").json()
    assert (shown["events"], shown["latest_event_time"]) == ([], None)
    assert shown["latest_message"]["text"] is None


def test_events_are_added_one_or_several(client: TestClient) -> None:
    """Every event of the data, as it is; a `sender_id` in it does not count."""
    answered = client.post("/conversations/s/tracker/events?include_events=ALL", json=RASA)
    without = [{key: event[key] for key in event if key != "sender_id"} for event in RASA]
    assert answered.status_code == 200
    assert answered.json()["events"] == without
    one = {"event": "slot", "name": "x", "value": [1, None]}
    assert client.post("/conversations/s/tracker/events", json=one).json()["slots"]["x"] == [
        1,
        None,
    ]


def test_a_message_is_added_without_an_answer(client: TestClient) -> None:
    """With what somebody has understood of it."""
    parsed = {"intent": {"name": "greet"}, "entities": [{"entity": "x"}]}
    body = {"text": "hi", "sender": "user", "parse_data": parsed}
    shown = client.post("/conversations/s/messages", json=body).json()
    assert [event["event"] for event in shown["events"]][-1] == "user"
    assert shown["latest_message"]["intent"] == {"name": "greet"}
    refused = client.post("/conversations/s/messages", json=body | {"sender": "bot"})
    assert (refused.status_code, refused.json()["message"]) == (
        400, "sender: only 'user' can be added",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", WEBHOOK, b"{", 400, "body: not JSON in UTF-8"),
        ("POST", WEBHOOK, b'{"message": "\xff"}', 400, "body: not JSON in UTF-8"),
        ("POST", WEBHOOK, b"{}", 400, "body: Object missing required field 'message'"),
        ("POST", WEBHOOK, b'{"message": 5}', 400, "message: Expected 'str', got 'int'"),
        ("POST", WEBHOOK, b'{"message": "x", "metadata": {"a": NaN}}', 400, "body: not JSON"),
        ("POST", WEBHOOK, b'{"message": "x", "sender": ""}', 400, "sender_id: give printable"),
        ("POST", WEBHOOK, b'{"message": "x", "stream": true}', 400, "stream: is not served"),
        ("POST", WEBHOOK, b"[" * 100_000, 400, "body: "),
        ("POST", WEBHOOK, b" " * 2_000_000, 413, "body: more than 1048576 bytes"),
        ("POST", "/conversations/s/tracker/events", b"[]", 400, "body: holds no event"),
        ("POST", "/conversations/s/tracker/events", b"[{}]", 400, "events[0]: event.event: miss"),
        ("POST", "/conversations/s/tracker/events", b"[5]", 400, "[0]: Expected 'object'"),
        ("GET", "/conversations/s/tracker?include_events=x", b"", 400, "include_events: give"),
        ("GET", "/conversations/%00/tracker", b"", 400, "sender_id: give printable"),
        ("GET", "/conversations/a%0A/tracker", b"", 400, "sender_id: give printable"),
        ("GET", "/nowhere", b"", 404, "Not Found"),
        ("DELETE", "/status", b"", 405, "Method Not Allowed"),
        ("POST", WEBHOOK, b'{"message": "fail"}', 500, "the model raised RuntimeError"),
    ],
)
def test_every_mistake_has_a_sentence_in_json(  # noqa: PLR0913, PLR0917 - a row of the table
    client: TestClient, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    """In the form of Rasa's errors, with nothing of the value in it."""
    answered = client.request(method, path, content=body)
    assert answered.status_code == status
    failure = answered.json()
    assert (failure["status"], failure["code"]) == ("failure", status)
    assert failure["message"].startswith(message)


def nested(depth: int) -> bytes:
    """Return an object inside objects, so many in all."""
    return b'{"a":' * (depth - 1) + b"{}" + b"}" * (depth - 1)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (WEBHOOK, b'{"message": "x", "sender": "s", "metadata": %s}'),
        (WEBHOOK, b'{"message": "x", "sender": "s", "nobody knows": %s}'),
        ("/conversations/s/messages", b'{"text": "x", "sender": "user", "parse_data": %s}'),
        ("/conversations/s/tracker/events", b'{"event": "slot", "name": "n", "value": %s}'),
        ("/conversations/s/tracker/events", b'{"event": "of the application", "x": %s}'),
    ],
)
def test_what_is_nested_too_deeply_is_refused_at_the_door(
    client: TestClient, path: str, body: bytes
) -> None:
    """Nothing is stored that could not be shown; what is just allowed can be shown."""
    for depth in (100, 950, 980):
        refused = client.post(path, content=body % nested(depth))
        assert (refused.status_code, refused.json()["message"]) == (
            400, "body: nested more than 100 deep",
        )  # fmt: skip
    assert client.get("/conversations/s/tracker").json()["events"] == []
    assert client.post(path, content=body % nested(99)).status_code == 200
    following = [{"event": "active_loop", "name": "form"}, {"event": "slot", "name": "y"}]
    assert client.post("/conversations/s/tracker/events", json=following).status_code == 200
    assert client.get("/conversations/s/tracker").status_code == 200


def test_what_a_model_nests_too_deeply_is_not_kept() -> None:
    """A model may repeat what it was sent; one that nests more fails that one message."""

    def nest(_tracker: DialogueStateTracker, message: Message) -> dict[str, Any]:
        custom: dict[str, Any] = {"sent": message.metadata}
        for _ in range(int(message.text)):
            custom = {"a": custom}
        return {"custom": custom}

    def say(client: TestClient, levels: str) -> tuple[int, Any]:
        body = b'{"message": "%s", "metadata": %s}' % (levels.encode(), nested(99))
        answered = client.post(WEBHOOK, content=body)
        return answered.status_code, answered.json()

    with client_for(Agent(nest)) as talking:
        assert say(talking, "0")[0] == 200
        status, failure = say(talking, "860")
        assert (status, failure["message"]) == (
            500,
            "the model's answer is nested more than 200 deep",
        )
        shown = talking.get("/conversations/default/tracker").json()
        assert [event["event"] for event in shown["events"]][-2:] == ["action", "user"]


def test_a_list_of_events_counts_as_one_level(client: TestClient) -> None:
    """The body's own brackets are nesting, too."""
    event = b'[{"event": "slot", "name": "n", "value": %s}]'
    path = "/conversations/s/tracker/events"
    assert client.post(path, content=event % nested(99)).status_code == 400
    assert client.post(path, content=event % nested(98)).status_code == 200


@pytest.mark.parametrize("entities", [5, "text", {"a": 1}, None, [5], [None, {"entity": "x"}]])
def test_no_parse_data_makes_a_conversation_unreadable(client: TestClient, entities: Any) -> None:
    """It is any object, and its `entities` may be anything; the conversation goes on."""
    parsed = {"entities": entities}
    path = "/conversations/s/messages"
    body = {"text": "hi", "sender": "user", "parse_data": parsed}
    assert client.post(path, json=body).status_code == 200
    added = [{"event": "action", "name": "action_listen"}, {"event": "entities", "entities": [{}]}]
    assert client.post("/conversations/s/tracker/events", json=added).status_code == 200
    shown = client.get("/conversations/s/tracker").json()
    kept = entities if isinstance(entities, list) else []
    assert shown["latest_message"]["entities"] == [*kept, {}]
    assert shown["events"][-3]["parse_data"] == parsed


def test_the_token_guards_the_api_and_not_the_webhook() -> None:
    """As in Rasa: a web page that talks to the bot cannot keep a secret."""
    with client_for(Agent(answer), Access(token="sésame")) as client:
        for path in ("/status", "/conversations/s/tracker"):
            assert client.get(path).status_code == 401
            assert client.get(path, params={"token": "wrong"}).status_code == 401
            assert client.get(path, params={"token": "sésame"}).status_code == 200
        assert client.post("/conversations/s/tracker/events", json={}).status_code == 401
        assert client.post(WEBHOOK, json={"message": "hi"}).status_code == 200
        assert client.get("/healthz").status_code == 200


def test_web_pages_may_call_only_where_they_were_named() -> None:
    """The browser is told so."""
    allowed = "access-control-allow-origin"
    with client_for(Agent(answer), Access(origins=["https://one.example"])) as client:
        given_origin = {"origin": "https://one.example"}
        assert client.get("/", headers=given_origin).headers[allowed] == "https://one.example"
        assert allowed not in client.get("/", headers={"origin": "https://two.example"}).headers
    with client_for(Agent(answer)) as client:
        assert allowed not in client.get("/", headers={"origin": "https://one.example"}).headers


def test_the_first_page_says_what_this_is(client: TestClient) -> None:
    """With links to where one goes on."""
    page = client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert '<a href="/status">' in page.text


def test_status_and_health_tell_of_the_broker(tmp_path: Path) -> None:
    """200 as long as events are accepted, 503 with the reason otherwise, and back again."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    with event_brokers.connect(section) as broker:
        store = InMemoryTrackerStore(event_broker=broker)
        assistant = Assistant(Agent(answer, store), broker, None, "in memory")
        with TestClient(application(assistant, Access())) as client:
            client.post(WEBHOOK, json={"message": "hi"})
            broker.flush(20)
            status = client.get("/status").json()
            assert status["broker"]["delivered"] == status["broker"]["accepted"] == 7
            assert status["broker"]["delivered_last_minute"] <= 7
            assert status["broker"]["last_confirm_seconds"] >= 0
            assert status["broker"]["next_step"] == "waits for events"
            assert status["tracker_store"] == {"due": 0, "failures": 0, "last_error": None}
            assert client.get("/healthz").json() == {"status": "ok", "events": "accepted"}
            broker.close()
            assert client.post(WEBHOOK, json={"message": "hi"}).status_code == 200
            sick = client.get("/healthz")
            assert (sick.status_code, sick.json()["status"]) == (503, "unavailable")
            assert "closed" in sick.json()["reason"]
            assert client.get("/status").json()["tracker_store"]["due"] > 0


def test_without_a_broker_health_says_that_nothing_is_streamed(client: TestClient) -> None:
    """It is no failure, and no secret either."""
    health = client.get("/healthz")
    assert health.status_code == 200
    assert "not streamed" in health.json()["events"]
    assert client.get("/status").json()["broker"] is None


@pytest.mark.usefixtures("alone")
def test_metrics_show_the_broker_to_those_who_know_the_token(tmp_path: Path) -> None:
    """Guarded as `/status` is, in the form that the client reads."""
    section = {"type": "sql", "db": str(tmp_path / "events.db")}
    with event_brokers.connect(section) as broker:
        store = InMemoryTrackerStore(event_broker=broker)
        assistant = Assistant(Agent(answer, store), broker, None, "in memory")
        with TestClient(application(assistant, Access(token="secret"))) as client:
            client.post(WEBHOOK, json={"message": "hi"})
            broker.flush(20)
            assert client.get("/metrics").status_code == 401
            assert client.get("/metrics?token=wrong").status_code == 401
            shown = client.get("/metrics?token=secret")
            assert shown.headers["content-type"].startswith("text/plain; version=")
            delivered = Samples(shown.text).value("delivered_total", type="sql", scope="process")
            assert delivered == broker.status().delivered > 0
            accept = {"accept": "application/openmetrics-text; version=1.0.0"}
            shown = client.get("/metrics?token=secret", headers=accept)
            assert shown.headers["content-type"].startswith("application/openmetrics-text")
            assert shown.text.endswith("# EOF\n")


def test_metrics_without_the_extra_say_what_to_install(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence with the pip command."""
    for name in [name for name in sys.modules if name.startswith("prometheus_client.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    answered = client.get("/metrics")
    assert answered.status_code == 501
    assert 'pip install "event-brokers-assistant[prometheus]"' in answered.json()["message"]
