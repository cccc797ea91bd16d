"""The HTTP API as an ASGI application: which path does what, and who may call it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    suppress,
)
from functools import wraps
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from event_brokers_assistant import failures, openapi, pages
from event_brokers_assistant.access import Access
from event_brokers_assistant.assembly import Assistant
from event_brokers_assistant.errors import TrackerStoreError
from event_brokers_assistant.http_endpoints import Endpoints
from event_brokers_assistant.stores import TrackerStore

RETRY_SECONDS = 1.0
_CONVERSATION = "/conversations/{conversation_id:conversation}"
_Endpoint = Callable[[Request], Awaitable[Response]]


def application(assistant: Assistant, access: Access) -> Starlette:
    """Return the ASGI application that serves an assistant.

    Parameters:
        assistant: answers; stays open when the application ends.
        access: who may call what.
    """
    mounted = pages.installed(access.token)
    endpoints = Endpoints(assistant, access.body_bytes, mounted)
    mounts = [Mount(f"/{name}", app=page, name=name) for name, page in mounted.items()]
    return Starlette(
        routes=[*_routes(endpoints, access.token), *mounts],
        middleware=[Middleware(_OwnCors, mounts=mounts, origins=access.origins)],
        exception_handlers=failures.HANDLERS,
        lifespan=_living(assistant.agent.tracker_store, mounted),
    )


class _OwnCors:
    """Lets other origins call what is the assistant's own, and nothing that is mounted beside it.

    Parameters:
        app: all of it.
        mounts: the pages of other distributions.
        origins: that may call; "*" is every one.
    """

    def __init__(self, app: ASGIApp, mounts: Sequence[Mount], origins: Sequence[str]) -> None:
        self._app = app
        self._mounts = mounts
        self._open = CORSMiddleware(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "OPTIONS"],
            allow_headers=["*"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the headers of CORS what may have them."""
        is_page = any(each.matches(scope)[0] is not Match.NONE for each in self._mounts)
        answer = self._app if is_page else self._open
        await answer(scope, receive, send)


def _routes(endpoints: Endpoints, token: str | None) -> list[Route]:
    def guarded(endpoint: _Endpoint) -> _Endpoint:
        return endpoint if token is None else _guarded(endpoint, token)

    described = openapi.document(has_token=token is not None)
    return [
        Route("/", endpoints.page),
        Route("/openapi.json", _constant(described)),
        Route("/healthz", endpoints.health),
        Route("/status", guarded(endpoints.status)),
        Route("/metrics", guarded(endpoints.metrics)),
        Route("/webhooks/rest", endpoints.channel_health),
        Route("/webhooks/rest/webhook", endpoints.webhook, methods=["POST"]),
        Route(f"{_CONVERSATION}/tracker/events", guarded(endpoints.append), methods=["POST"]),
        Route(f"{_CONVERSATION}/tracker", guarded(endpoints.tracker)),
        Route(f"{_CONVERSATION}/messages", guarded(endpoints.log), methods=["POST"]),
    ]


class _Conversation(PathConvertor):
    """Any text, slashes and line ends as well: the agent says in words which names it refuses."""

    regex = r"[\s\S]*"


register_url_convertor("conversation", _Conversation())


def _constant(document: object) -> _Endpoint:
    async def shown(_request: Request) -> Response:
        return JSONResponse(document)

    return shown


def _guarded(endpoint: _Endpoint, token: str) -> _Endpoint:
    """Return the endpoint for those alone who know the token."""

    @wraps(endpoint)
    async def checked(request: Request) -> Response:
        given = request.query_params.get("token", "")
        if not hmac.compare_digest(_bytes(given), _bytes(token)):
            raise HTTPException(HTTPStatus.UNAUTHORIZED, "give the right token as ?token=")
        return await endpoint(request)

    return checked


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _living(
    store: TrackerStore, mounted: MutableMapping[str, Starlette]
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return what lives as long as the server.

    Parameters:
        store: what could not be streamed is streamed again and again.
        mounted: other applications, whose own life nobody else begins; one that fails to begin
            is left out.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        streaming = asyncio.create_task(_stream_due(store))
        try:
            async with AsyncExitStack() as stack:
                for name, page in list(mounted.items()):
                    if not await stack.enter_async_context(pages.living(name, page)):
                        _leave_out(app, mounted, name)
                yield
        finally:
            streaming.cancel()
            with suppress(asyncio.CancelledError):
                await streaming

    return lifespan


def _leave_out(app: Starlette, mounted: MutableMapping[str, Starlette], name: str) -> None:
    del mounted[name]
    routes = app.router.routes
    routes[:] = [each for each in routes if not (isinstance(each, Mount) and each.name == name)]


async def _stream_due(store: TrackerStore) -> None:
    while True:
        await asyncio.sleep(RETRY_SECONDS)
        with suppress(TrackerStoreError):
            if (await asyncio.to_thread(store.status)).due:
                await asyncio.to_thread(store.stream_due)
