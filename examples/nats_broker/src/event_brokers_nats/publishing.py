"""The publishing side: options, a client of NATS, and the stream that events are messages of."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import quote

import nats
from msgspec import Meta
from nats.aio.client import Client
from nats.errors import AuthorizationError
from nats.js.api import PubAck
from nats.js.errors import NotFoundError

from event_brokers import BrokerUnavailable, Event, RejectedEvents
from event_brokers.plugin import server
from event_brokers.plugin.loop_thread import LoopThread
from event_brokers.plugin.opening import closed_on_failure

CONNECT_SECONDS, ANSWER_SECONDS, CLOSE_SECONDS = 4, 10.0, 2.0
ID = "Nats-Msg-Id"  # of several messages with the same one JetStream stores the first
TOO_LARGE = 10054  # JetStream's code for more than the stream's max_msg_size
DENIED, LOST = (AuthorizationError,), (nats.errors.Error,)
_Result = TypeVar("_Result")


class NatsOptions(server.ServerOptions, frozen=True, kw_only=True):
    """The options of type `nats`."""

    place: ClassVar[tuple[str, ...]] = ("url", "stream", "subject")
    default_port: ClassVar[int] = 4222

    stream: Annotated[str, Meta(min_length=1, description="stream of JetStream")] = "events"
    subject: Annotated[str, Meta(min_length=1, description="subject of the stream")] = "events"


class Connection:
    """A client that is signed in; what waits for an answer fails as soon as it is lost."""

    def __init__(self, options: NatsOptions) -> None:
        self.options, self.client = options, Client()
        self._loop = LoopThread("event-brokers-nats")
        with closed_on_failure(self):
            self.run(self._sign_in())
        self.jetstream = self.client.jetstream(timeout=ANSWER_SECONDS - 1)

    def run(self, coroutine: Coroutine[Any, Any, _Result]) -> _Result:
        """Return what the coroutine returns."""
        return self._loop.run(coroutine, ANSWER_SECONDS)

    def has_place(self) -> bool:
        """Return whether the stream is there."""
        try:
            self.run(self.jetstream.stream_info(self.options.stream))
        except NotFoundError:
            return False
        return True

    def make_place(self) -> None:
        """Make the stream, for the one subject."""
        name, subjects = self.options.stream, [self.options.subject]
        self.run(self.jetstream.add_stream(name=name, subjects=subjects))

    def publish(self, events: Sequence[Event]) -> None:
        """Send the events, and return when JetStream has acknowledged every one."""
        server.refuse_larger(events, self.client.max_payload, size_of)
        answers = self.run(self._send(events))
        failed = {name: each for name, each in answers.items() if not isinstance(each, PubAck)}
        confirmed = answers.keys() - failed
        refused = [name for name, each in failed.items() if is_too_large(each)]
        if refused:
            reasons = dict.fromkeys(refused, "more than the stream takes")
            raise RejectedEvents(reasons, confirmed=confirmed)
        if failed:
            raise BrokerUnavailable(f"not stored: {next(iter(failed.values()))}", confirmed)

    def close(self) -> None:
        """Close the client, and end its loop."""
        self._loop.close_after(self.client.close(), CLOSE_SECONDS)

    async def _sign_in(self) -> None:
        """Connect the client, which never connects again by itself: the core does."""
        options, context = self.options, server.tls_context(self.options, "nats")
        problems: list[Exception] = []

        async def note(error: Exception) -> None:
            problems.append(error)

        async def lose() -> None:
            self._loop.give_up()

        def password() -> str:
            # NATS greets in plain text, and says itself whether TLS follows
            server.refuse_downgrade(options, context)
            return options.revealed_password or ""

        try:
            await self.client.connect(
                f"nats://{options.address}", user=options.username, password=password,
                tls=context, tls_hostname=options.address.host, connect_timeout=CONNECT_SECONDS,
                allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
                error_cb=note, closed_cb=lose,
            )  # fmt: skip
        except nats.errors.Error as error:
            if "Authorization Violation" in str(error):
                raise AuthorizationError from None
            raise [*problems, error][0] from None  # which says more
        server.refuse_downgrade(options, context)

    async def _send(self, events: Sequence[Event]) -> dict[str, Any]:
        """Return JetStream's answer to each of the events, which are sent at once, in order."""
        # not publish_async: what JetStream refuses would never be answered (nats-py 2.16)
        sent = [
            self.jetstream.publish(self.options.subject, event.body, headers=headers_of(event))
            for event in events
        ]
        answers = await asyncio.gather(*sent, return_exceptions=True)
        return {event.id: answer for event, answer in zip(events, answers, strict=True)}


def is_too_large(answer: BaseException) -> bool:
    """Return whether it says that the stream does not take the event."""
    return getattr(answer, "err_code", 0) == TOO_LARGE


def headers_of(event: Event) -> dict[str, str]:
    """Return the headers of the message: JetStream stores an id once."""
    return {**{quote(name): text for name, text in event.headers.items()}, ID: event.id}


def size_of(event: Event) -> int:
    """Return the bytes that the server counts: the body, and what stands before it."""
    lines = ["NATS/1.0", *(f"{name}: {text}" for name, text in headers_of(event).items()), "", ""]
    return len("\r\n".join(lines).encode()) + len(event.body)
