"""Looks at every destination once a second, for whoever has the page open."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from event_brokers.destinations import Destination, destinations
from event_brokers.endpoints import Settings
from event_brokers_monitor.describing import consumers, described
from event_brokers_monitor.history import PIECE_SECONDS, PIECES, History, Piece
from event_brokers_monitor.own_threads import OwnThreads

logger = logging.getLogger("event_brokers.monitor")
LOOK_SECONDS = 1.0


class Sight(msgspec.Struct, frozen=True):
    """What was seen at one moment.

    Attributes:
        number: how many were seen before it, and one.
        time: seconds since 1970, on a clock that may be put back.
        destinations: as the page shows them, each with its latest piece of history.
        consumers: of this process.
    """

    number: int
    time: float
    destinations: list[dict[str, Any]]
    consumers: list[dict[str, Any]]


class Observer:
    """Looks again and again, from the first time that somebody asks.

    Parameters:
        spools: sections that name a spool, which other processes may deliver.
        threads: on which it looks.
    """

    def __init__(self, spools: Sequence[Settings], threads: OwnThreads) -> None:
        self._spools = spools
        self._threads = threads
        self._histories: dict[str, History] = {}
        self.mark = secrets.token_hex(4)  # another process has other numbers for what it sees
        self._sight = Sight(0, 0.0, [], [])
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look, if nobody has begun yet; called on the event loop."""
        if self._looking is None or self._looking.done():
            self._changed = asyncio.Event()  # that before may belong to a loop that has ended
            self._looking = asyncio.get_running_loop().create_task(self._look_for_ever())

    async def stop(self) -> None:
        """Look no more."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def next_after(self, known: int, seconds: float) -> Sight | None:
        """Return what was seen after a sight, and wait for it; None where nothing is seen so long.

        Parameters:
            known: the number of the sight before; 0 for whatever comes first.
            seconds: to wait at most.
        """
        self.start()
        try:
            return await asyncio.wait_for(self._next_after(known), seconds)
        except asyncio.TimeoutError:
            return None

    async def _next_after(self, known: int) -> Sight:
        while self._sight.number <= known:
            await self._changed.wait()
        return self._sight

    def history(self, since: float) -> dict[str, list[Piece]]:
        """Return what happened at each destination since a moment, at most the last hour.

        Parameters:
            since: seconds since 1970.
        """
        return {name: each.since(since) for name, each in self._histories.items()}

    def find(self, name: str) -> Destination | None:
        """Look for a destination by its name; None where there is none. Reads files."""
        found = (each for each in destinations(self._spools) if each.look.name == name)
        return next(found, None)

    async def _look_for_ever(self) -> None:
        while True:
            try:
                self._sight = await self._threads.do(self._look)
            except Exception:
                # whatever it was, the next look may go well; and the page says that it is old
                logger.exception("looking at the destinations failed")
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            await asyncio.sleep(LOOK_SECONDS)

    def _look(self) -> Sight:
        now, found = time.time(), []
        for destination in destinations(self._spools):
            history = self._histories.setdefault(destination.look.name, History())
            history.add(destination.look, now)
            piece = history.pieces[-1] if history.pieces else None
            found.append({**described(destination), "piece": piece})
        self._forget(now - PIECES * PIECE_SECONDS)
        return Sight(self._sight.number + 1, now, found, consumers())

    def _forget(self, time_: float) -> None:
        """Forget the destinations of which nothing was seen since."""
        for name, history in list(self._histories.items()):
            if history.pieces and history.pieces[-1].time < time_:
                del self._histories[name]
