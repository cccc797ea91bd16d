"""The connection: one client of NATS, on a loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from event_brokers import BrokerUnavailable, Event
from event_brokers.plugin.loop_thread import LoopThread
from event_brokers.plugin.server import explaining
from event_brokers_nats.message import headers_of
from event_brokers_nats.options import NatsOptions, open_client

ANSWER_SECONDS = 10.0
CLOSE_SECONDS = 2.0
_Result = TypeVar("_Result")


class Connection:
    """A client that is signed in; what waits for an answer fails as soon as it is lost."""

    def __init__(self, options: NatsOptions) -> None:
        self.options = options
        self.client = Client()
        self._loop = LoopThread("event-brokers-nats")
        try:
            self.run(open_client(self.client, options, self._loop.give_up))
        except BaseException:
            self.close()
            raise

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Return what the coroutine returns, or raise what its failure means for delivery."""
        with explaining(self.options, denied=_is_denial, lost=(nats.errors.Error,)):
            return self._loop.run(coroutine, ANSWER_SECONDS)

    def close(self) -> None:
        """Close the client, and end its loop."""
        with suppress(BrokerUnavailable, OSError):
            self._loop.run(self.client.close(), CLOSE_SECONDS)
        self._loop.close()

    async def find_stream(self) -> bool:
        """Return whether the stream is there."""
        try:
            await self.client.jetstream().stream_info(self.options.stream)
        except NotFoundError:
            return False
        return True

    async def make_stream(self) -> None:
        """Make the stream, for the one subject."""
        options = self.options
        await self.client.jetstream().add_stream(name=options.stream, subjects=[options.subject])

    async def send(self, events: Sequence[Event]) -> dict[str, Any]:
        """Return JetStream's answer to each of the events, which are sent at once, in order."""
        jetstream = self.client.jetstream(timeout=ANSWER_SECONDS - 1)
        # not publish_async: what JetStream refuses would never be answered (nats-py 2.16)
        answers = [
            jetstream.publish(self.options.subject, event.body, headers=headers_of(event))
            for event in events
        ]
        answered = await asyncio.gather(*answers, return_exceptions=True)
        return {event.id: answer for event, answer in zip(events, answered, strict=True)}


def _is_denial(error: BaseException) -> bool:
    return "Authorization Violation" in str(error)
