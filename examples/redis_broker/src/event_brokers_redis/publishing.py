"""The publishing side: options, a client of Redis, and the stream that events are entries of."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any, ClassVar

import redis
from msgspec import Meta

from event_brokers import BrokerUnavailable, ConfigurationError, Event
from event_brokers.plugin.server import ServerOptions, refuse_larger, tls_context

ANSWER_SECONDS = 10
LARGEST_BYTES = 512 * 1024 * 1024  # proto-max-bulk-len, where nobody has set another
DENIED = (redis.AuthenticationError, redis.exceptions.NoPermissionError)
LOST = (redis.ConnectionError, redis.TimeoutError, redis.OutOfMemoryError, redis.ReadOnlyError)


class RedisOptions(ServerOptions, frozen=True, kw_only=True):
    """The options of type `redis`."""

    place: ClassVar[tuple[str, ...]] = ("url", "stream")
    default_port: ClassVar[int] = 6379

    stream: Annotated[str, Meta(min_length=1, description="key of the stream")] = "events"
    max_length: Annotated[
        int, Meta(ge=0, description="entries that the stream keeps, about; 0 keeps them all")
    ] = 0


class Connection:
    """A client, which connects when it is asked for the stream."""

    def __init__(self, options: RedisOptions) -> None:
        self.options, self.largest = options, LARGEST_BYTES
        self.client: Any = make_client(options)

    def has_place(self) -> bool:
        """Return whether the stream is there."""
        with suppress(redis.ResponseError):  # not every user may ask
            self.largest = int(self.client.config_get("proto-max-bulk-len")["proto-max-bulk-len"])
        kind = self.client.type(self.options.stream)
        if kind not in (b"stream", b"none"):
            raise ConfigurationError("event_broker.stream: is the key of no stream; name another")
        return bool(kind == b"stream")

    def make_place(self) -> None:
        """Make the stream, which is empty."""
        self.client.xgroup_create(self.options.stream, "new", mkstream=True)
        self.client.xgroup_destroy(self.options.stream, "new")

    def publish(self, events: Sequence[Event]) -> None:
        """Add all of the events in one transaction, or none of them."""
        refuse_larger(events, self.largest)  # Redis ends the connection over one
        stream, most = self.options.stream, self.options.max_length or None
        transaction = self.client.pipeline()
        for event in events:
            fields = {f"header:{name}": text for name, text in event.headers.items()}
            transaction.xadd(stream, {**fields, "body": event.body}, maxlen=most, nomkstream=True)
        if None in transaction.execute():
            raise BrokerUnavailable(f"the stream '{stream}' is missing")

    def close(self) -> None:
        """Close the socket."""
        self.client.close()


def make_client(options: RedisOptions) -> redis.Redis:
    """Return a client that is not connected yet, and leaves it to the core to try again."""
    context = tls_context(options, "redis")
    return redis.Redis.from_pool(redis.ConnectionPool(
        over_tls(context) if context else redis.Connection, protocol=2,
        host=options.address.host, port=options.address.port,
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
