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

from event_brokers_monitor.observer import Observer
from event_brokers_monitor.passing import Watch

STREAM_SECONDS = 5.0
EVENT_SECONDS = 0.5  # between two looks whether events have passed
AT_ONCE = 100  # events of which the page is told then
_AGAIN = b"retry: 200\n\n"
_encode = msgspec.json.Encoder().encode


class TooMany(Exception):
    """More streams are open than there may be."""


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


async def sights(observer: Observer, since: float) -> AsyncIterator[bytes]:
    """Yield the history since a moment, and then what is seen from now on.

    Parameters:
        observer: looks.
        since: seconds since 1970; 0 for all that is kept.
    """
    end = time.monotonic() + STREAM_SECONDS
    yield _AGAIN
    sight = await observer.next_after(since if since <= time.time() else 0.0)
    yield _told("history", observer.history(since), sight.time)
    while True:
        yield _told("sight", sight, sight.time)
        if time.monotonic() >= end:
            return
        sight = await observer.next_after(sight.time)


async def passing(watch: Watch, after: int | None) -> AsyncIterator[bytes]:
    """Yield events as they pass.

    Parameters:
        watch: sees them.
        after: the number of the latest that is known; None for what is new from now on.
    """
    end = time.monotonic() + STREAM_SECONDS
    known = watch.number if after is None or after > watch.number else after
    note: str | None = None
    yield _AGAIN
    while time.monotonic() < end:
        number, events = watch.number, watch.ask(known, AT_ONCE)
        if number > known or watch.note != note:
            note = watch.note
            latest = max([number, *(each.number for each in events)])
            missed = latest - known - len(events)
            told = {"events": events, "missed": missed, "note": note}
            yield _told("passed", told, latest)
            known = latest
        await asyncio.sleep(EVENT_SECONDS)


def last_told(request: Request) -> float | None:
    """Return up to where the page knows what happened; None for one that is new."""
    try:
        return float(request.headers["last-event-id"])
    except (KeyError, ValueError):
        return None


def _told(kind: str, what: Any, number: float) -> bytes:
    # JSON of msgspec has no line ends
    return f"event: {kind}\nid: {number}\ndata: ".encode() + _encode(what) + b"\n\n"
