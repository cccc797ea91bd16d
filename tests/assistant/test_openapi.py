"""`/openapi.json` describes what the server does, no more and no less."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from event_brokers_assistant import Agent
from event_brokers_assistant.access import Access
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.server import application

RASA = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "rasa-3.6.21-events.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
TOKENS = [None, "token"]


def client_for(token: str | None) -> TestClient:
    """Return a client of an assistant with an echo bot and no broker."""
    assistant = Assistant(Agent(), None, None, "in memory")
    return TestClient(application(assistant, Access(token=token)))


def document(token: str | None = None) -> dict[str, Any]:
    """Return the document as the server gives it; it wants no token."""
    answered = client_for(token).get("/openapi.json")
    assert answered.status_code == 200
    found: dict[str, Any] = answered.json()
    return found


def validator(name: str) -> Any:
    """Return what checks a value against one of the document's schemas."""
    schemas = document()["components"]
    return jsonschema_rs.validator_for(
        {"$ref": f"#/components/schemas/{name}", "components": schemas}
    )


@pytest.mark.parametrize("token", TOKENS)
def test_the_document_has_every_route_and_no_other(token: str | None) -> None:
    """Paths, methods and their parameters; HEAD comes with every GET."""
    app = application(Assistant(Agent(), None, None, "in memory"), Access(token=token))
    routed: dict[str, set[str]] = {}
    for route in app.routes:
        if isinstance(route, Mount):
            continue  # a page of another distribution, which is no part of the API
        assert isinstance(route, Route)
        path = re.sub(r":\w+}", "}", route.path)
        methods = {method.lower() for method in route.methods or ()} - {"head"}
        routed.setdefault(path, set()).update(methods)
    described = document(token)["paths"]
    assert {path: set(operations) for path, operations in described.items()} == routed
    for path, operations in described.items():
        for operation in operations.values():
            in_path = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)


@pytest.mark.parametrize("token", TOKENS)
def test_the_document_says_what_the_token_guards(token: str | None) -> None:
    """Exactly those operations that answer 401 without it; none where there is no token."""
    client = client_for(token)
    guarded = set()
    for path, operations in document(token)["paths"].items():
        for method, operation in operations.items():
            answered = client.request(method, path.replace("{conversation_id}", "s"), json={})
            assert (answered.status_code == 401) == ("security" in operation)
            assert ("401" in operation["responses"]) == ("security" in operation)
            guarded |= {path} if "security" in operation else set()
    assert len(guarded) == (5 if token else 0)


@pytest.mark.parametrize("event", RASA, ids=lambda event: str(event["event"]))
def test_every_event_of_rasa_is_described(event: dict[str, Any]) -> None:
    """By the schema of its own type: the one for unknown types refuses it."""
    assert validator("Event").is_valid(event)
    assert not validator("UnknownEvent").is_valid(event)


def test_an_event_with_a_wrong_field_is_not_described() -> None:
    """The schemas are those of the types that the server checks with."""
    events = validator("Event")
    assert events.is_valid({"event": "slot", "name": "n", "timestamp": None, "more": 1})
    assert events.is_valid({"event": "of the application", "text": 5})
    for wrong in ({"event": "user", "text": 5}, {"event": "slot"}, {"event": ""}, {}):
        assert not events.is_valid(wrong)
