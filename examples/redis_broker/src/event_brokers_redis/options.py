"""The options of type `redis`, and the client that they stand for."""

from __future__ import annotations

import ssl
from typing import Annotated, Any, ClassVar

import redis
from msgspec import Meta

from event_brokers.plugin.server import ServerOptions, tls_context

ANSWER_SECONDS = 10


class RedisOptions(ServerOptions, frozen=True, kw_only=True):
    """The options of type `redis`."""

    place: ClassVar[tuple[str, ...]] = ("url", "stream")
    default_port: ClassVar[int] = 6379

    stream: Annotated[str, Meta(min_length=1, description="key of the stream")] = "events"
    max_length: Annotated[
        int, Meta(ge=0, description="entries that the stream keeps, about; 0 keeps them all")
    ] = 0


def open_client(options: RedisOptions) -> redis.Redis:
    """Return a client that is not connected yet, and leaves it to the core to try again."""
    context = tls_context(options, "redis")
    return redis.Redis.from_pool(redis.ConnectionPool(
        redis.Connection if context is None else over_tls(context),
        host=options.address.host, port=options.address.port, protocol=2,
        username=options.username, password=options.revealed_password,
        socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS,
    ))  # fmt: skip


def over_tls(context: ssl.SSLContext) -> type[redis.Connection]:
    """Return connections with our context: redis-py's own trusts the system's authorities, too."""

    class TlsConnection(redis.Connection):
        def _connect(self) -> Any:
            plain: Any = super()
            return context.wrap_socket(plain._connect(), server_hostname=self.host)

    return TlsConnection
