"""The live page as an ASGI application: to be served alone, or mounted in another one."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from event_brokers import ConfigurationError, endpoints
from event_brokers.endpoints import Settings
from event_brokers_monitor.access import LOGIN, Access, Guard, refused
from event_brokers_monitor.endpoints import Endpoints, bounded_body
from event_brokers_monitor.observer import Observer
from event_brokers_monitor.own_threads import OwnThreads
from event_brokers_monitor.passing import Watch, Watches

_END_SECONDS = 2.0  # that plugins have to let go of what they read from
_LOOK_SECONDS = 0.02
_FOLDER = files(__package__ or "") / "files"
_PLACE, _WRONG = b"<!-- wrong -->", b'<p class="notice" role="alert">This is not the token.</p>'
PAGE, ASKING = "index.html", "login.html"
_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
}
_Endpoint = Callable[[Request], Awaitable[Response]]


def application(
    spools: Iterable[str | os.PathLike[str] | Mapping[str, Any]] = (),
    access: Access | None = None,
    show_bodies: bool = False,
) -> Starlette:
    """Return the page over every broker that is open in the process.

    It can be mounted at any path; without a token it answers to programs of this machine alone.

    Parameters:
        spools: sections that name a spool, to be looked at whoever delivers its events; each is
            the path of an `endpoints.yml`, or a mapping that is the section itself.
        access: who may see it.
        show_bodies: whether bodies of events are shown, which are conversations.

    Raises:
        ConfigurationError: a section cannot be used, or names no spool.
    """
    return page_over([endpoints.read(each) for each in spools], access or Access(), show_bodies)


def page_over(spools: Sequence[Settings], access: Access, shows_bodies: bool) -> Starlette:
    """Return the page over every broker that is open in the process, and over spools.

    Parameters:
        spools: sections that name a spool.
        access: who may see it.
        shows_bodies: whether bodies of events are shown.

    Raises:
        ConfigurationError: a section names no spool.
    """
    for each in spools:
        _look_for_spool(each)
    threads = OwnThreads()
    observer = Observer(spools, threads)
    watches = Watches(observer.find, shows_bodies)
    paths = Endpoints(observer, watches, threads, shows_bodies)
    return Starlette(
        routes=[*_files(), *_asking(access), *_api(paths)],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _in_words, ClientDisconnect: _in_words},
        lifespan=partial(_lifespan, observer, watches),
    )


def page(token: str | None) -> Starlette:
    """Return the page as another server mounts it: an entry point of `event_brokers.pages`.

    Parameters:
        token: that this server wants; None for none.
    """
    return application(access=Access(token))


def _look_for_spool(settings: Settings) -> None:
    if settings.delivery.spool is None:
        raise ConfigurationError(
            "event_broker.delivery.spool: events wait in memory, which no other process can see; "
            "name a folder to keep them in, or mount event_brokers_monitor.application() in the "
            "process that publishes"
        )


def _api(paths: Endpoints) -> list[Route]:
    return [
        Route("/api/stream", paths.stream),
        Route("/api/passing", paths.passing),
        Route("/api/dead-letters", paths.dead_letters),
        Route("/api/dead-letters/retry", paths.retry, methods=["POST"]),
        Route("/api/dead-letters/drop", paths.drop, methods=["POST"]),
        Route("/api/conversations", paths.conversations),
        Route("/api/conversation", paths.conversation),
        Route("/api/publish", paths.publish, methods=["POST"]),
        Route("/api/whereabouts", paths.whereabouts),
    ]


def _files() -> list[Route]:
    """Return a path for each file that the page is made of; the page itself is the path /."""
    names = [each.name for each in _FOLDER.iterdir() if _type_of(each.name)]
    found = {name: _read(name) for name in names}
    asking = found.pop(ASKING)
    return [
        Route("/", _constant(found.pop(PAGE), _TYPES[".html"])),
        Route(LOGIN, _constant(asking, _TYPES[".html"], HTTPStatus.UNAUTHORIZED)),
        *(Route(f"/{name}", _constant(found[name], _type_of(name))) for name in sorted(found)),
    ]


def _asking(access: Access) -> list[Route]:
    wrong = _read(ASKING).replace(_PLACE, _WRONG)

    async def log_in(request: Request) -> Response:
        """Give a browser the cookie, if it gives the token."""
        form = parse_qs((await bounded_body(request)).decode(errors="replace"))
        if not access.takes(form.get("token", [""])[0]):
            return HTMLResponse(wrong, HTTPStatus.UNAUTHORIZED)
        to_page = RedirectResponse("./", HTTPStatus.SEE_OTHER)
        to_page.headers["set-cookie"] = access.cookie(request.scope)
        return to_page

    return [Route(LOGIN, log_in, methods=["POST"])]


def _constant(content: bytes, media_type: str, status: HTTPStatus = HTTPStatus.OK) -> _Endpoint:
    async def shown(_request: Request) -> Response:
        return Response(content, status, media_type=media_type)

    return shown


def _read(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _type_of(name: str) -> str:
    return _TYPES.get(os.path.splitext(name)[1], "")  # noqa: PTH122 - no path


async def _in_words(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):  # nobody reads the answer
        return refused(HTTPStatus.BAD_REQUEST, "the request did not arrive")
    answer = refused(HTTPStatus(error.status_code), str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


@asynccontextmanager
async def _lifespan(observer: Observer, watches: Watches, _app: Starlette) -> AsyncIterator[None]:
    observer.start()
    try:
        yield
    finally:
        await observer.stop()
        await _until_let_go(watches.end_all())


async def _until_let_go(ended: Sequence[Watch]) -> None:
    """Wait until the plugins have let go, but not for one that hangs."""
    deadline = time.monotonic() + _END_SECONDS
    while time.monotonic() < deadline and not all(each.has_let_go for each in ended):
        await asyncio.sleep(_LOOK_SECONDS)
