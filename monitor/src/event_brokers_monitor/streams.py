"""What the page is told as it happens: server-sent events, after the standard of WHATWG.

A stream ends after some seconds, and the browser goes on with another one where it was: a server
that is asked to end waits for every answer, whoever runs it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import StreamingResponse

from event_brokers_monitor.observer import Observer, Sight
from event_brokers_monitor.passing import Watch

STREAM_SECONDS = 5.0
EVENT_SECONDS = 0.5  # between two looks whether events have passed
AT_ONCE = 100  # events of which the page is told then
_AGAIN = b"retry: 200\n\n"
_encode = msgspec.json.Encoder().encode


class TooMany(Exception):
    """More streams are open than there may be."""


class Told(msgspec.Struct, frozen=True):
    """Up to where a page knows what happened: the `Last-Event-ID` of its stream.

    Attributes:
        number: of the latest that it was told; 0 for nothing yet.
        mark: of what has numbered it: behind one address there may be several processes.
        time: of what it was told, seconds since 1970.
    """

    number: int = 0
    mark: str = ""
    time: float = 0.0

    def __str__(self) -> str:
        return f"{self.number}-{self.mark}-{self.time}"

    def number_by(self, mark: str) -> int | None:
        """Return its number, if this has numbered it or it is the beginning; else None."""
        return self.number if mark == self.mark or self.number == 0 else None


class Streams:
    """Those that are open now.

    Parameters:
        most: how many there may be.
    """

    def __init__(self, most: int = 50) -> None:
        self._most = most
        self._open = 0

    def answer(self, lines: AsyncIterator[bytes]) -> StreamingResponse:
        """Return the answer that is a stream.

        Raises:
            TooMany: there are too many.
        """
        if self._open >= self._most:
            raise TooMany
        return StreamingResponse(self._counted(lines), media_type="text/event-stream")

    async def _counted(self, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._open += 1
        try:
            async for line in lines:
                yield line
        finally:
            self._open -= 1


async def sights(observer: Observer, told: Told | None) -> AsyncIterator[bytes]:
    """Yield the history since a moment, and then what is seen from now on.

    Parameters:
        observer: looks.
        told: up to where the history is known; None where nothing of it is.
    """
    end = time.monotonic() + STREAM_SECONDS
    told = told or Told()
    yield _AGAIN
    sight = await observer.next_after(told.number_by(observer.mark) or 0, STREAM_SECONDS)
    if sight is None:
        return  # nothing was seen: the page asks again, and says how old it is
    # the clock may have been put back since
    history = observer.history(told.time if told.time <= sight.time else 0.0)
    yield _line("history", history, _told(observer, sight))
    while sight is not None:
        yield _line("sight", sight, _told(observer, sight))
        sight = await observer.next_after(sight.number, end - time.monotonic())


async def passing(watch: Watch, told: Told | None) -> AsyncIterator[bytes]:
    """Yield events as they pass.

    Parameters:
        watch: sees them.
        told: the latest that is known; None, or that of another watch, for what is new from now on.
    """
    end = time.monotonic() + STREAM_SECONDS
    after = None if told is None else told.number_by(watch.mark)
    known = watch.number if after is None else min(after, watch.number)
    note: str | None = None
    yield _AGAIN
    while time.monotonic() < end:
        number, events = watch.number, watch.ask(known, AT_ONCE)
        if number > known or watch.note != note:
            note = watch.note
            latest = max([number, *(each.number for each in events)])
            missed = latest - known - len(events)
            passed = {"events": events, "missed": missed, "note": note}
            yield _line("passed", passed, Told(latest, watch.mark))
            known = latest
        await asyncio.sleep(EVENT_SECONDS)


def last_told(request: Request) -> Told | None:
    """Return up to where the page knows what happened; None for one that is new."""
    number, _, rest = request.headers.get("last-event-id", "").partition("-")
    mark, _, seconds = rest.partition("-")
    try:
        return Told(int(number), mark, float(seconds or 0.0))
    except ValueError:
        return None


def _told(observer: Observer, sight: Sight) -> Told:
    return Told(sight.number, observer.mark, sight.time)


def _line(kind: str, what: Any, told: Told) -> bytes:
    # JSON of msgspec has no line ends
    return f"event: {kind}\nid: {told}\ndata: ".encode() + _encode(what) + b"\n\n"
