"""Whatever is sent to the HTTP API: an answer that its description knows, never a 5xx."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
)
from starlette.applications import Starlette
from starlette.testclient import TestClient

import event_brokers
from event_brokers_assistant import Agent, SQLTrackerStore
from event_brokers_assistant.access import Access
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.server import application
from fuzz.conftest import Fuzz
from fuzz.description import Description, has_new_characters
from fuzz.mutations import mutated

WEBHOOK = "/webhooks/rest/webhook"
TOKEN = "token"
RASA = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]


# schemathesis turns patterns into Python's, which know less of Unicode; below, what was sent and
# answered is compared with the document itself
LESS_PRECISE = [
    negative_data_rejection,
    positive_data_acceptance,
    response_schema_conformance,
]


@dataclass(frozen=True)
class Fuzzed:
    """An assistant that keeps conversations in SQLite, streams, and is sent anything."""

    app: Starlette
    store: SQLTrackerStore

    def assert_readable(self) -> None:
        """Show every conversation: none of what was sent has made one unreadable."""
        client = TestClient(self.app)
        # these two mean a folder in every URL, and clients take them out
        for name in set(self.store.keys()) - {".", ".."}:
            shown = client.get(f"/conversations/{quote(name, safe='')}/tracker?token={TOKEN}")
            assert shown.status_code == 200, shown.text


@pytest.fixture(scope="module", params=[None, TOKEN], ids=["without token", "with token"])
def fuzzed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fuzzed]:
    """Return such an assistant."""
    folder = tmp_path_factory.mktemp("fuzzed")
    with event_brokers.connect({"type": "sql", "db": str(folder / "events.db")}) as broker:
        store = SQLTrackerStore(db=str(folder / "tracker.db"), event_broker=broker)
        assistant = Assistant(Agent(tracker_store=store), broker, None, "in a file")
        yield Fuzzed(application(assistant, Access(token=request.param)), store)
        store.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=["as described", "otherwise"])
def test_the_api_does_what_its_description_says(
    fuzz: Fuzz, fuzzed: Fuzzed, mode: GenerationMode
) -> None:
    """Status, type and schema of each answer; what is described is taken, all else refused."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", fuzzed.app)
    schema.auth()(_Token)
    description = Description(schema.raw_schema)

    @settings(max_examples=100)
    @given(case=schema.as_strategy(generation_mode=mode))
    def check(case: Any) -> None:
        answered = case.call()
        case.validate_response(answered, excluded_checks=LESS_PRECISE)
        assert description.has_answer(answered.request, answered.status_code, answered.content)
        if answered.status_code != 401 and not has_new_characters(answered.request):
            assert (answered.status_code == 200) == description.has(answered.request), answered.text

    fuzz(check)
    fuzzed.assert_readable()


class _Token:
    """Gives every request the token, but where it was left out on purpose."""

    def get(self, case: Any, context: Any) -> str:  # noqa: ARG002 - schemathesis's signature
        return TOKEN

    def set(self, case: Any, data: str, context: Any) -> None:  # noqa: ARG002
        case.query["token"] = data


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
NAMES = st.sampled_from(
    ["message", "sender", "metadata", "input_channel", "text", "parse_data", "event", "name",
     "value", "timestamp", "entities", "data", "stream", "confidence", "sender_id"]
)  # fmt: skip
TYPES = st.sampled_from([event["event"] for event in RASA])
DEEP = st.integers(80, 2000).map(
    lambda depth: f'{{"message": "x", "a": {"[" * depth}{"]" * depth}}}'
)
OBJECTS = st.dictionaries(NAMES, JSON | TYPES, max_size=5)
BODIES = (
    st.one_of(
        OBJECTS,
        st.lists(OBJECTS | st.sampled_from(RASA), max_size=3),
        st.builds(lambda event, more: event | more, st.sampled_from(RASA), OBJECTS),
        st.builds(lambda body: body | {"message": "hi", "sender": "s"}, OBJECTS),
        JSON,
    ).map(lambda body: json.dumps(body).encode())
    | DEEP.map(str.encode)
    | mutated([json.dumps(event).encode() for event in RASA], [b"9" * 5000, b"1e400", b"\\ud800"])
    | st.binary(max_size=30)
)
CONVERSATIONS = st.sampled_from(["s", "t"]) | st.text(max_size=6)


def test_nothing_that_is_sent_makes_the_server_fail(fuzz: Fuzz, fuzzed: Fuzzed) -> None:
    """Whatever the body, the path and the query: an answer or a refusal in JSON, never a 5xx."""
    client = TestClient(fuzzed.app, raise_server_exceptions=False)

    @settings(max_examples=400)
    @given(
        method=st.sampled_from(["GET", "POST", "POST", "POST", "PUT"]),
        path=st.one_of(
            st.just(WEBHOOK),
            CONVERSATIONS.map(lambda name: f"/conversations/{name}/tracker"),
            CONVERSATIONS.map(lambda name: f"/conversations/{name}/tracker/events"),
            CONVERSATIONS.map(lambda name: f"/conversations/{name}/messages"),
            st.sampled_from(["/", "/status", "/healthz", "/openapi.json"]),
        ),
        parameters=st.dictionaries(
            st.sampled_from(["include_events", "token", "stream"]),
            st.just(TOKEN) | st.text(max_size=5),
            max_size=2,
        ),
        body=BODIES,
    )
    def check(method: str, path: str, parameters: dict[str, str], body: bytes) -> None:
        address = quote(path, safe="/", errors="surrogatepass")
        answered = client.request(method, address, params=parameters, content=body)
        assert answered.status_code < 500, answered.text
        if path != "/":
            answered.json()

    fuzz(check)
    fuzzed.assert_readable()
