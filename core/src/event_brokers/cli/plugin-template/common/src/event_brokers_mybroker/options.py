"""The options of `type: mybroker`."""

from __future__ import annotations

from typing import Annotated, ClassVar

from event_brokers.plugin.server import ServerOptions
from msgspec import Meta

TYPE = "mybroker"


class BrokerOptions(ServerOptions, frozen=True, kw_only=True):
    """What may stand under `event_broker`; address, login and TLS come from the base."""

    place: ClassVar[tuple[str, ...]] = ("url", "queue")
    default_port: ClassVar[int] = 7878

    queue: Annotated[
        str, Meta(min_length=1, description="queue that the events go to; made if it is missing")
    ] = "conversation_events"
