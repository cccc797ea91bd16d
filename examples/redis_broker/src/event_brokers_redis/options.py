"""The options of type `redis`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers.plugin.server import ServerOptions


class RedisOptions(ServerOptions, frozen=True, kw_only=True):
    """The options of type `redis`."""

    place: ClassVar[tuple[str, ...]] = ("url", "stream")
    default_port: ClassVar[int] = 6379

    stream: Annotated[str, Meta(min_length=1, description="key of the stream")] = "events"
    max_length: Annotated[
        int, Meta(ge=0, description="entries that the stream keeps, about; 0 keeps them all")
    ] = 0
