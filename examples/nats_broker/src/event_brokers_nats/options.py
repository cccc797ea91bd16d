"""The options of type `nats`, and the client that they stand for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

import nats
from msgspec import Meta
from nats.aio.client import Client

from event_brokers.plugin.server import ServerOptions, refuse_downgrade, tls_context

CONNECT_SECONDS = 4


class NatsOptions(ServerOptions, frozen=True, kw_only=True):
    """The options of type `nats`."""

    place: ClassVar[tuple[str, ...]] = ("url", "stream", "subject")
    default_port: ClassVar[int] = 4222

    stream: Annotated[str, Meta(min_length=1, description="stream of JetStream")] = "events"
    subject: Annotated[str, Meta(min_length=1, description="subject of the stream")] = "events"


async def open_client(client: Client, options: NatsOptions, when_lost: Callable[[], None]) -> None:
    """Connect a client, which never connects again by itself: the core does."""
    context = tls_context(options, "nats")
    problems: list[Exception] = []

    async def note(error: Exception) -> None:
        problems.append(error)

    async def lose() -> None:
        when_lost()

    def password() -> str:
        # NATS greets in plain text, and says itself whether TLS follows
        refuse_downgrade(options, context)
        return options.revealed_password or ""

    try:
        await client.connect(
            f"nats://{options.address}", user=options.username, password=password,
            tls=context, tls_hostname=options.address.host, connect_timeout=CONNECT_SECONDS,
            allow_reconnect=False, max_reconnect_attempts=1, reconnect_time_wait=0,
            error_cb=note, closed_cb=lose,
        )  # fmt: skip
    except nats.errors.NoServersError:
        raise problems[0] from None
    refuse_downgrade(options, context)
