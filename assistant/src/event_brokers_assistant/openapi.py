"""The OpenAPI document of the HTTP API; the schemas of bodies and events come from their types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, get_args

import msgspec

from event_brokers import Status
from event_brokers_assistant.events import KnownEvent
from event_brokers_assistant.failures import VERSION
from event_brokers_assistant.http_endpoints import VERBOSITIES
from event_brokers_assistant.request_bodies import (
    CONVERSATION_NAME,
    EVENT_TYPE,
    MessageBody,
    WebhookBody,
)
from event_brokers_assistant.streaming import StreamStatus

_Schema = dict[str, Any]

_TOKEN = "token"
_OURS = "unknown_fields"  # an attribute of events, not a key of theirs
_TYPES = tuple(str(kind.__struct_config__.tag) for kind in get_args(KnownEvent))
_ANY: _Schema = {}
_OBJECT: _Schema = {"type": "object"}
_TEXT: _Schema = {"type": "string"}


def document(has_token: bool) -> dict[str, Any]:
    """Return what `/openapi.json` answers.

    Parameters:
        has_token: whether the API, all but the webhook, wants a token.
    """
    schemes = {_TOKEN: {"type": "apiKey", "in": "query", "name": "token"}}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "event-brokers-assistant",
            "version": VERSION,
            "description": "An assistant whose conversation events are streamed to a broker.",
        },
        "paths": _open_paths() | _guarded_paths(has_token),
        "components": {"schemas": _schemas()} | ({"securitySchemes": schemes} if has_token else {}),
    }


def _open_paths() -> dict[str, Any]:
    healthy = _answer("events are accepted", _members({"status": _one("ok"), "events": _TEXT}))
    ill = _answer(
        "events are not accepted", _members({"status": _one("unavailable"), "reason": _TEXT})
    )
    return {
        "/": {"get": _operation("page", "What this is", {200: _html("a page for people")})},
        "/openapi.json": {
            "get": _operation("openapi", "This document", {200: _answer("it", _OBJECT)})
        },
        "/healthz": {
            "get": _operation("health", "Whether events are accepted", {200: healthy, 503: ill})
        },
        "/webhooks/rest": {
            "get": _operation(
                "channelHealth",
                "Whether the REST channel is there",
                {200: _answer("it is", _members({"status": _one("ok")}))},
            )
        },
        "/webhooks/rest/webhook": {
            "post": _operation(
                "webhook",
                "Answer a message",
                {200: _answer("what the bot says", _list(_reference("BotMessage")))},
                body=_reference("WebhookBody"),
                failures=(400, 408, 413, 500, 503),
            )
        },
    }


def _guarded_paths(has_token: bool) -> dict[str, Any]:
    state = {200: _answer("the state of the conversation", _reference("Tracker"))}
    security: list[_Schema] | None = [{_TOKEN: []}] if has_token else None
    refused = (401,) if has_token else ()
    conversation = "/conversations/{conversation_id}"
    changing = (400, *refused, 408, 413, 503)
    return {
        "/status": {
            "get": _operation(
                "status",
                "Where the events are",
                {200: _answer("the broker and the store", _reference("ServerStatus"))},
                failures=(*refused, 503),
                security=security,
            )
        },
        "/metrics": {
            "get": _operation(
                "metrics",
                "Where the events are, for Prometheus",
                {200: _metrics("as text, or as OpenMetrics where that is accepted")},
                failures=(*refused, 501),
                security=security,
            )
        },
        f"{conversation}/tracker": {
            "get": _operation(
                "tracker",
                "Show a conversation",
                state,
                parameters=_CONVERSATION,
                failures=(400, *refused, 503),
                security=security,
            )
        },
        f"{conversation}/tracker/events": {
            "post": _operation(
                "appendEvents",
                "Add one event or a list of them",
                state,
                body={"anyOf": [_reference("Event"), _list(_reference("Event"), minItems=1)]},
                parameters=_CONVERSATION,
                failures=changing,
                security=security,
            )
        },
        f"{conversation}/messages": {
            "post": _operation(
                "logMessage",
                "Add a user's message without answering it",
                state,
                body=_reference("MessageBody"),
                parameters=_CONVERSATION,
                failures=changing,
                security=security,
            )
        },
    }


_CONVERSATION: tuple[_Schema, ...] = (
    {
        "name": "conversation_id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", **CONVERSATION_NAME},
    },
    {
        "name": "include_events",
        "in": "query",
        "description": "which events to show, in capitals or not",
        "schema": {"type": "string", "enum": list(VERBOSITIES), "default": "AFTER_RESTART"},
    },
)


def _operation(  # noqa: PLR0913 - what OpenAPI wants to know of one
    name: str,
    summary: str,
    answers: Mapping[int, _Schema],
    *,
    body: _Schema | None = None,
    parameters: Iterable[_Schema] = (),
    failures: Iterable[int] = (),
    security: list[_Schema] | None = None,
) -> _Schema:
    failed = {
        status: _answer(HTTPStatus(status).phrase, _reference("Failure")) for status in failures
    }
    operation: _Schema = {
        "operationId": name,
        "summary": summary,
        "parameters": list(parameters),
        "responses": {str(status): answer for status, answer in {**answers, **failed}.items()},
    }
    if body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": body}},
        }
    if security is not None:
        operation["security"] = security
    return operation


def _schemas() -> dict[str, Any]:
    known = get_args(KnownEvent)
    _, found = msgspec.json.schema_components(
        (WebhookBody, MessageBody, Status, StreamStatus, *known),
        ref_template="#/components/schemas/{name}",
    )
    for kind in known:
        properties = found[kind.__name__]["properties"]
        del properties[_OURS]
        properties["timestamp"] = {"type": ["number", "null"], "description": "null is now"}
    names = [_reference(kind.__name__) for kind in known]
    return found | {
        "Event": {"anyOf": [*names, _reference("UnknownEvent")]},
        "UnknownEvent": _members(
            {
                "event": {"type": "string", **EVENT_TYPE, "not": {"enum": list(_TYPES)}},
            },
            description="An event of a type of the application's own, kept as it is.",
        ),
        "BotMessage": _members(
            {"recipient_id": _TEXT}, description="With text, buttons, image and the like."
        ),
        "Tracker": _tracker(),
        "ServerStatus": _members(
            {
                "version": _TEXT,
                "broker": {"anyOf": [_reference("Status"), {"type": "null"}]},
                "tracker_store": _reference("StreamStatus"),
            }
        ),
        "Failure": _members(
            {
                "version": _TEXT,
                "status": _one("failure"),
                "reason": _TEXT,
                "message": _TEXT,
                "code": {"type": "integer"},
            }
        ),
    }


def _tracker() -> _Schema:
    return _members(
        {
            "sender_id": _TEXT,
            "slots": _OBJECT,
            "latest_message": _members({"entities": _list(_ANY)}),
            "latest_event_time": {"type": ["number", "null"]},
            "followup_action": {"type": ["string", "null"]},
            "paused": {"type": "boolean"},
            "events": {"anyOf": [_list(_reference("Event")), {"type": "null"}]},
            "latest_input_channel": {"type": ["string", "null"]},
            "active_loop": _OBJECT,
            "latest_action": _OBJECT,
            "latest_action_name": {"type": ["string", "null"]},
        }
    )


def _members(properties: Mapping[str, _Schema], **more: Any) -> _Schema:
    return {"type": "object", "required": list(properties), "properties": dict(properties), **more}


def _list(items: _Schema, **more: Any) -> _Schema:
    return {"type": "array", "items": items, **more}


def _one(value: str) -> _Schema:
    return {"const": value}


def _reference(name: str) -> _Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: _Schema) -> _Schema:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _html(description: str) -> _Schema:
    return {"description": description, "content": {"text/html": {"schema": _TEXT}}}


def _metrics(description: str) -> _Schema:
    forms = ("text/plain", "application/openmetrics-text")
    return {"description": description, "content": {form: {"schema": _TEXT} for form in forms}}
