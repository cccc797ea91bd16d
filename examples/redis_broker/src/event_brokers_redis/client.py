"""The client of Redis: how it connects, and what its errors mean for delivery."""

from __future__ import annotations

import ssl
from contextlib import suppress
from functools import partial
from typing import Any

import redis

from event_brokers.plugin import server
from event_brokers_redis.options import RedisOptions

ANSWER_SECONDS = 10
LARGEST_BYTES = 512 * 1024 * 1024  # proto-max-bulk-len, where nobody has set another
DENIALS = (redis.AuthenticationError, redis.exceptions.NoPermissionError)
LOSSES = (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)

explaining = partial(
    server.explaining, denied=lambda error: isinstance(error, DENIALS), lost=LOSSES
)


def open_client(options: RedisOptions) -> redis.Redis:
    """Return a client that is not connected yet, and leaves it to the core to try again."""
    context = server.tls_context(options, "redis")
    return redis.Redis.from_pool(redis.ConnectionPool(
        redis.Connection if context is None else over_tls(context),
        host=options.address.host, port=options.address.port, protocol=2,
        username=options.username, password=options.revealed_password,
        socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS,
    ))  # fmt: skip


def ask_largest(client: redis.Redis) -> int:
    """Return the bytes of the largest value: over one that is larger, Redis ends the connection."""
    with suppress(redis.ResponseError):  # not every user may ask
        answer: Any = client.config_get("proto-max-bulk-len")
        return int(answer["proto-max-bulk-len"])
    return LARGEST_BYTES


def over_tls(context: ssl.SSLContext) -> type[redis.Connection]:
    """Return connections with our context: redis-py's own trusts the system's authorities, too."""

    class TlsConnection(redis.Connection):
        def _connect(self) -> Any:
            plain: Any = super()
            return context.wrap_socket(plain._connect(), server_hostname=self.host)

    return TlsConnection
