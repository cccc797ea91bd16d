"""The HTTP API as an ASGI application: which path does what, and who may call it."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
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
from starlette.routing import Mount, Route

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
    endpoints = Endpoints(assistant, access.body_bytes, sorted(mounted))
    return Starlette(
        routes=[
            *_routes(endpoints, access.token),
            *(Mount(f"/{name}", app=page) for name, page in mounted.items()),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(access.origins),
                allow_methods=["GET", "POST", "OPTIONS"],
                allow_headers=["*"],
            )
        ],
        exception_handlers=failures.HANDLERS,
        lifespan=_living(assistant.agent.tracker_store, mounted.values()),
    )


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
    store: TrackerStore, mounted: Iterable[Starlette]
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return what lives as long as the server.

    Parameters:
        store: what could not be streamed is streamed again and again.
        mounted: other applications, whose own life nobody else begins.
    """

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        streaming = asyncio.create_task(_stream_due(store))
        async with AsyncExitStack() as stack:
            for page in mounted:
                await stack.enter_async_context(page.router.lifespan_context(page))
            yield
        streaming.cancel()
        with suppress(asyncio.CancelledError):
            await streaming

    return lifespan


async def _stream_due(store: TrackerStore) -> None:
    while True:
        await asyncio.sleep(RETRY_SECONDS)
        with suppress(TrackerStoreError):
            if (await asyncio.to_thread(store.status)).due:
                await asyncio.to_thread(store.stream_due)
