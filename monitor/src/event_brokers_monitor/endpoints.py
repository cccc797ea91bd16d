"""What each path below the page does."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from event_brokers import DeadLetter, Event, EventBrokersError, InvalidEvent
from event_brokers.destinations import Destination
from event_brokers.secret import mask
from event_brokers_monitor import conversations, dead_letters, streams
from event_brokers_monitor.dead_letters import Changed, Chosen
from event_brokers_monitor.observer import Observer
from event_brokers_monitor.own_threads import OwnThreads
from event_brokers_monitor.passing import Watches

BODY_BYTES = 1024 * 1024
_Found = TypeVar("_Found")


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A test event, and where it shall go."""

    destination: str
    event: dict[str, Any]


class Endpoints:
    """What the paths do; each is given a request and returns the answer.

    Parameters:
        observer: looks at the destinations.
        watches: those for events as they pass.
        threads: on which files are read.
        shows_bodies: whether bodies may be shown.
    """

    def __init__(
        self, observer: Observer, watches: Watches, threads: OwnThreads, shows_bodies: bool
    ) -> None:
        self._threads = threads
        self._observer = observer
        self._watches = watches
        self._shows_bodies = shows_bodies
        self._streams = streams.Streams()

    async def stream(self, request: Request) -> Response:
        """Tell what is seen of every destination, once a second."""
        return self._streamed(streams.sights(self._observer, streams.last_told(request)))

    async def passing(self, request: Request) -> Response:
        """Tell of events as they pass."""
        watch = await self._threads.do(self._watches.of, _given(request, "destination"))
        if watch is None:
            raise _gone()
        return self._streamed(streams.passing(watch, streams.last_told(request)))

    async def dead_letters(self, request: Request) -> Response:
        """Show the dead letters, grouped by the reason."""

        def look(destination: Destination) -> dict[str, Any]:
            with destination.dead_letters() as letters:
                return dead_letters.grouped(letters, self._shows_bodies)

        return _json(await self._at(_given(request, "destination"), look))

    async def retry(self, request: Request) -> Response:
        """Put dead letters back."""
        chosen = await _chosen(request)

        def act(destination: Destination) -> int:
            return destination.retry(chosen.ids_in(destination))

        return _json({"retried": await self._at(chosen.destination, act)})

    async def drop(self, request: Request) -> Response:
        """Forget dead letters for good."""
        chosen = await _chosen(request)

        def act(destination: Destination) -> int:
            return destination.drop(chosen.ids_in(destination))

        return _json({"dropped": await self._at(chosen.destination, act)})

    async def conversations(self, request: Request) -> Response:
        """Show which conversations are known."""
        name = _given(request, "destination")
        found = await self._at(name, lambda each: conversations.listed(self._moments(name, each)))
        return _json({"conversations": found})

    async def conversation(self, request: Request) -> Response:
        """Show what is known of one conversation."""
        name, sender = _given(request, "destination"), _given(request, "sender_id")
        found = await self._at(
            name, lambda each: conversations.timeline(self._moments(name, each), sender)
        )
        return _json({"sender_id": sender, "events": found})

    async def publish(self, request: Request) -> Response:
        """Accept a test event."""
        given = await _body(request, Published)
        event = _event(given.event)
        await self._at(given.destination, lambda destination: destination.accept(event))
        return _json({"id": event.id})

    async def whereabouts(self, request: Request) -> Response:
        """Say where an event is."""
        event_id = _given(request, "id")
        found = await self._at(
            _given(request, "destination"), lambda destination: destination.find(event_id)
        )
        if isinstance(found, DeadLetter):
            return _json({"where": "dead letter", "reason": found.reason})
        return _json({"where": "left" if found is None else "waits"})

    def _moments(self, name: str, destination: Destination) -> Any:
        return conversations.moments(destination, self._watches.seen(name), self._shows_bodies)

    async def _at(self, name: str, act: Callable[[Destination], _Found]) -> _Found:
        """Do something at a destination, on a thread: it may take as long as the disk does."""
        return await self._threads.do(self._do_at, name, act)

    def _do_at(self, name: str, act: Callable[[Destination], _Found]) -> _Found:
        destination = self._observer.find(name)
        if destination is None:
            raise _gone()
        try:
            return act(destination)
        except Changed as error:
            raise HTTPException(
                HTTPStatus.CONFLICT,
                "the dead letters are no longer those that were asked about; look again",
            ) from error
        except EventBrokersError as error:
            text = mask(str(error), destination.settings.secrets())
            raise HTTPException(HTTPStatus.CONFLICT, text) from error

    def _streamed(self, lines: Any) -> Response:
        try:
            return self._streams.answer(lines)
        except streams.TooMany as error:
            raise HTTPException(
                HTTPStatus.TOO_MANY_REQUESTS, "too many pages are open; close one"
            ) from error


def _json(found: Any) -> Response:
    return Response(msgspec.json.encode(found), media_type="application/json")


def _gone() -> HTTPException:
    return HTTPException(HTTPStatus.NOT_FOUND, "destination: there is none of this name now")


def _given(request: Request, name: str) -> str:
    given = request.query_params.get(name)
    if given is None:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"{name}: give it behind the '?'")
    return given


async def _chosen(request: Request) -> Chosen:
    chosen = await _body(request, Chosen)
    if not chosen.is_clear:
        raise HTTPException(HTTPStatus.BAD_REQUEST, "body: give one of ids, reason and all")
    return chosen


async def _body(request: Request, kind: type[_Found]) -> _Found:
    # a form of another page cannot say that it is JSON
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "content-type: give JSON")
    try:
        return msgspec.json.decode(await bounded_body(request), type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        # msgspec's sentence names a type and a path, and a path may be a key of somebody's event
        raise HTTPException(
            HTTPStatus.BAD_REQUEST, "body: is not the JSON that belongs here"
        ) from error


async def bounded_body(request: Request) -> bytes:
    """Return a request's body, which may have a mebibyte.

    Raises:
        HTTPException: it has more.
    """
    read = bytearray()
    async for piece in request.stream():
        read += piece
        if len(read) > BODY_BYTES:
            raise HTTPException(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: has more than {BODY_BYTES} bytes"
            )
    return bytes(read)


def _event(given: dict[str, Any]) -> Event:
    try:
        return Event.from_dict(given)
    except InvalidEvent as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
