"""The HTTP API: Rasa's, as far as its users call it, and the state of the stream."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import wraps
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from event_brokers import InvalidEvent
from event_brokers_assistant import events
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.errors import ModelError, TrackerStoreError
from event_brokers_assistant.model import Message
from event_brokers_assistant.streaming import StreamStatus
from event_brokers_assistant.tracker import DialogueStateTracker

logger = logging.getLogger("event_brokers.assistant")

BODY_BYTES = 1024**2
RETRY_SECONDS = 1.0
_VERSION = version("event-brokers-assistant")
_Endpoint = Callable[[Request], Awaitable[Response]]
_Body = TypeVar("_Body")

_PAGE = """<!doctype html>
<title>event-brokers</title>
<h1>event-brokers {version}</h1>
<p>An assistant whose conversation events are streamed to a broker.</p>
<ul>
<li>POST /webhooks/rest/webhook with {{"sender": "me", "message": "hi"}} talks to it</li>
<li>GET /conversations/me/tracker shows the conversation</li>
<li><a href="/status">/status</a> shows where the events are</li>
<li><a href="/healthz">/healthz</a> shows whether events are accepted</li>
</ul>
"""


class WebhookBody(msgspec.Struct):
    """What is sent to the REST channel; the names are Rasa's."""

    message: str
    sender: str | int = "default"
    metadata: dict[str, Any] | None = None
    input_channel: str | None = None
    stream: bool | None = None


class MessageBody(msgspec.Struct):
    """A message that is added to a conversation; the names are Rasa's."""

    text: str
    sender: str
    parse_data: dict[str, Any] | None = None


@dataclass(frozen=True)
class Access:
    """Who may call what.

    Attributes:
        token: what everything but the webhook wants as `?token=`; None lets everybody in.
        origins: web pages that may call the API, as for CORS; "*" is every page.
        body_bytes: the most that a body may have.
    """

    token: str | None = None
    origins: Sequence[str] = ()
    body_bytes: int = BODY_BYTES


def application(assistant: Assistant, access: Access) -> Starlette:
    """Return the ASGI application that serves an assistant.

    Parameters:
        assistant: answers; stays open when the application ends.
        access: who may call what.
    """
    api = _API(assistant, access)
    conversation = "/conversations/{conversation_id:path}"
    return Starlette(
        routes=[
            Route("/", _page),
            Route("/healthz", api.health),
            Route("/status", api.guarded(api.status)),
            Route("/webhooks/rest", _channel_health),
            Route("/webhooks/rest/webhook", api.webhook, methods=["POST"]),
            Route(f"{conversation}/tracker/events", api.guarded(api.append), methods=["POST"]),
            Route(f"{conversation}/tracker", api.guarded(api.tracker)),
            Route(f"{conversation}/messages", api.guarded(api.log), methods=["POST"]),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(access.origins),
                allow_methods=["GET", "POST", "OPTIONS"],
                allow_headers=["*"],
            )
        ],
        exception_handlers={
            HTTPException: _refused,
            InvalidEvent: _invalid,
            ModelError: _model_failed,
            TrackerStoreError: _store_failed,
            Exception: _bug,
        },
        lifespan=api.lifespan,
    )


class _API:
    """The endpoints, over one assistant."""

    def __init__(self, assistant: Assistant, access: Access) -> None:
        self._agent = assistant.agent
        self._broker = assistant.broker
        self._access = access

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Stream again and again what could not be streamed, as long as the server lives."""
        retrying = asyncio.create_task(self._stream_due())
        yield
        retrying.cancel()
        with suppress(asyncio.CancelledError):
            await retrying

    def guarded(self, endpoint: _Endpoint) -> _Endpoint:
        """Return the endpoint for those alone who know the token."""

        @wraps(endpoint)
        async def checked(request: Request) -> Response:
            wanted = self._access.token
            given = request.query_params.get("token", "")
            if wanted is not None and not hmac.compare_digest(_bytes(given), _bytes(wanted)):
                raise HTTPException(HTTPStatus.UNAUTHORIZED, "give the right token as ?token=")
            return await endpoint(request)

        return checked

    async def webhook(self, request: Request) -> Response:
        """Answer a message, as Rasa's REST channel."""
        body = await self._body(request, WebhookBody)
        if body.stream or request.query_params.get("stream", "").casefold() == "true":
            raise HTTPException(HTTPStatus.BAD_REQUEST, "stream: is not served; leave it out")
        message = Message(
            body.message,
            str(body.sender),
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
                "version": _VERSION,
                "broker": broker and msgspec.to_builtins(broker),
                "tracker_store": msgspec.to_builtins(stream),
            }
        )

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

    async def _stream_due(self) -> None:
        while True:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(TrackerStoreError):
                if (await self._stream_status()).due:
                    await asyncio.to_thread(self._agent.tracker_store.stream_due)

    async def _body(self, request: Request, kind: Any) -> Any:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > self._access.body_bytes:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"body: more than {self._access.body_bytes} bytes",
                )
        try:
            return msgspec.json.decode(bytes(content), type=kind)
        except msgspec.ValidationError as error:
            text, _, path = str(error).replace("`", "'").partition(" - at '$")
            where = path.strip("'.") or "body"
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"{where}: {text}") from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "body: not JSON in UTF-8") from error


def _conversation(request: Request) -> str:
    return str(request.path_params["conversation_id"])


def _event(index: int, given: dict[str, Any]) -> events.Event:
    own = {name: value for name, value in given.items() if name != "sender_id"}
    try:
        return events.from_dict(own)
    except InvalidEvent as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"events[{index}]: {error}") from error


_VERBOSITIES = ("NONE", "APPLIED", "AFTER_RESTART", "ALL")


def _verbosity(request: Request) -> str:
    wanted = request.query_params.get("include_events", "AFTER_RESTART").upper()
    if wanted not in _VERBOSITIES:
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, f"include_events: give one of {', '.join(_VERBOSITIES)}"
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


async def _page(_request: Request) -> Response:
    return HTMLResponse(_PAGE.format(version=_VERSION))


async def _channel_health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _failure(status: int, message: str) -> Response:
    """Return an error as Rasa's HTTP API words it."""
    return JSONResponse(
        {
            "version": _VERSION,
            "status": "failure",
            "reason": HTTPStatus(status).phrase,
            "message": message,
            "code": int(status),
        },
        status,
    )


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = _failure(error.status_code, error.detail)
    response.headers.update(error.headers or {})
    return response


async def _invalid(_request: Request, error: Exception) -> Response:
    return _failure(HTTPStatus.BAD_REQUEST, str(error))


async def _model_failed(request: Request, error: Exception) -> Response:
    logger.error("%s: %s", request.url.path, error)
    logger.debug("the cause", exc_info=error)
    return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, str(error))


async def _store_failed(_request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    return _failure(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


async def _bug(_request: Request, error: Exception) -> Response:
    return _failure(HTTPStatus.INTERNAL_SERVER_ERROR, f"a bug: {type(error).__name__}")
