"""What each path of the HTTP API does: those of Rasa's, and the state of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from html import escape
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from event_brokers import InvalidEvent
from event_brokers_assistant import events, exposition, request_bodies
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.errors import TrackerStoreError
from event_brokers_assistant.failures import VERSION
from event_brokers_assistant.model import Message
from event_brokers_assistant.request_bodies import MessageBody, WebhookBody
from event_brokers_assistant.streaming import StreamStatus
from event_brokers_assistant.tracker import DialogueStateTracker

VERBOSITIES = ("NONE", "APPLIED", "AFTER_RESTART", "ALL")

_PAGE = """<!doctype html>
<title>event-brokers</title>
<h1>event-brokers {version}</h1>
<p>An assistant whose conversation events are streamed to a broker.</p>
<ul>
<li>POST /webhooks/rest/webhook with {{"sender": "me", "message": "hi"}} talks to it</li>
<li>GET /conversations/me/tracker shows the conversation</li>
<li><a href="/status">/status</a> shows where the events are</li>
<li><a href="/metrics">/metrics</a> shows the same to Prometheus</li>
<li><a href="/healthz">/healthz</a> shows whether events are accepted</li>
<li><a href="/openapi.json">/openapi.json</a> describes all of it</li>
{pages}</ul>
"""
_LINK = '<li><a href="/{name}/">/{name}</a> is a page that shows more of it</li>\n'


class Endpoints:
    """What the paths do, over one assistant; each is given a request and returns the answer.

    Parameters:
        assistant: answers.
        body_bytes: the most that a body may have.
        pages: those that are mounted beside it now, by name.
    """

    def __init__(self, assistant: Assistant, body_bytes: int, pages: Collection[str]) -> None:
        self._agent = assistant.agent
        self._broker = assistant.broker
        self._body_bytes = body_bytes
        self._pages = pages

    async def page(self, _request: Request) -> Response:
        """Say what this is."""
        links = "".join(_LINK.format(name=escape(name)) for name in sorted(self._pages))
        return HTMLResponse(_PAGE.format(version=VERSION, pages=links))

    async def channel_health(self, _request: Request) -> Response:
        """Say that the REST channel is there, as Rasa does."""
        return JSONResponse({"status": "ok"})

    async def webhook(self, request: Request) -> Response:
        """Answer a message, as Rasa's REST channel."""
        body = await self._body(request, WebhookBody)
        if body.stream or request.query_params.get("stream", "").casefold() == "true":
            raise HTTPException(HTTPStatus.BAD_REQUEST, "stream: is not served; leave it out")
        message = Message(
            body.message,
            body.sender_id(),
            body.input_channel or "rest",
            body.metadata or {},
        )
        return JSONResponse(await self._agent.handle_message(message))

    async def tracker(self, request: Request) -> Response:
        """Show a conversation."""
        return _state(request, await self._agent.tracker(_conversation(request)))

    async def append(self, request: Request) -> Response:
        """Add one event or a list of them to a conversation."""
        conversation = _conversation(request)
        given = await self._body(request, dict[str, Any] | list[dict[str, Any]])
        added = given if isinstance(given, list) else [given]
        if not added:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "body: holds no event")
        _verbosity(request)
        parsed = [_event(index, event) for index, event in enumerate(added)]
        return _state(request, await self._agent.append_events(conversation, parsed))

    async def log(self, request: Request) -> Response:
        """Add a user's message to a conversation, without an answer."""
        conversation = _conversation(request)
        body = await self._body(request, MessageBody)
        if body.sender != "user":
            raise HTTPException(HTTPStatus.BAD_REQUEST, "sender: only 'user' can be added")
        _verbosity(request)
        message = Message(body.text, conversation, parse_data=body.parse_data)
        return _state(request, await self._agent.log_message(message))

    async def status(self, _request: Request) -> Response:
        """Show where the events are."""
        stream = await self._stream_status()
        broker = await asyncio.to_thread(self._broker.status) if self._broker else None
        return JSONResponse(
            {
                "version": VERSION,
                "broker": broker and msgspec.to_builtins(broker),
                "tracker_store": msgspec.to_builtins(stream),
            }
        )

    async def metrics(self, request: Request) -> Response:
        """Show Prometheus where the events are."""
        wanted = request.headers.get("accept", "")
        try:
            shown = await asyncio.to_thread(exposition.exposed, wanted)
        except ModuleNotFoundError as error:
            raise HTTPException(HTTPStatus.NOT_IMPLEMENTED, exposition.WAY_OUT) from error
        return Response(shown.content, media_type=shown.media_type)

    async def health(self, _request: Request) -> Response:
        """Say whether events are accepted."""
        try:
            reason = (await self._stream_status()).last_error
        except TrackerStoreError as error:
            reason = str(error)
        if reason is not None:
            return JSONResponse(
                {"status": "unavailable", "reason": reason}, HTTPStatus.SERVICE_UNAVAILABLE
            )
        streamed = "accepted" if self._broker else "not streamed: there is no event_broker"
        return JSONResponse({"status": "ok", "events": streamed})

    async def _stream_status(self) -> StreamStatus:
        return await asyncio.to_thread(self._agent.tracker_store.status)

    async def _body(self, request: Request, kind: Any) -> Any:
        return await request_bodies.read(request, kind, self._body_bytes)


def _conversation(request: Request) -> str:
    return str(request.path_params["conversation_id"])


def _event(index: int, given: dict[str, Any]) -> events.Event:
    own = {name: value for name, value in given.items() if name != "sender_id"}
    try:
        return events.from_dict(own)
    except InvalidEvent as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"events[{index}]: {error}") from error


def _verbosity(request: Request) -> str:
    wanted = request.query_params.get("include_events", "AFTER_RESTART").upper()
    if wanted not in VERBOSITIES:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"include_events: give one of {', '.join(VERBOSITIES)}"
        )
    return wanted


def _state(request: Request, tracker: DialogueStateTracker) -> Response:
    match _verbosity(request):
        case "NONE":
            shown = None
        case "APPLIED":
            shown = tracker.applied_events()
        case "AFTER_RESTART":
            shown = tracker.events_after_latest_restart()
        case _:
            shown = tracker.events
    return JSONResponse(tracker.current_state(shown))
