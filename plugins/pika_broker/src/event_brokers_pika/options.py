"""The options of `type: pika`, named as in Rasa's Pika event broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import Meta

from event_brokers import Options, Secret, SecretUrl

DEFAULT_EXCHANGE = "rasa-exchange"


class PikaOptions(Options, frozen=True, kw_only=True):
    """The options of `type: pika`."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url", "queues": "queue"}
    superseded: ClassVar[Mapping[str, str]] = {
        "should_keep_unpublished_messages": (
            "has no effect; events that wait are always kept, up to delivery.max_pending"
        ),
        "raise_on_failure": (
            "has no effect; connecting happens in the background and goes on until it succeeds"
        ),
    }

    url: Annotated[
        SecretUrl, Meta(description="host, host:port, or amqp(s)://user:password@host:port/vhost")
    ] = SecretUrl("localhost")
    port: Annotated[
        Annotated[int, Meta(ge=1, le=65535)] | None,
        Meta(description="port; 5672, and 5671 for an amqps URL, unless given"),
    ] = None
    username: Annotated[str | None, Meta(description="user; guest unless given")] = None
    password: Annotated[Secret | None, Meta(description="the user's password")] = None
    virtual_host: Annotated[str | None, Meta(description="virtual host; / unless given")] = None
    queue: Annotated[
        str | list[str], Meta(description="queue, or a list of queues that all get every event")
    ] = "rasa_core_events"
    exchange_name: Annotated[
        str | None,
        Meta(description=f"fanout exchange; {DEFAULT_EXCHANGE} where there are several queues"),
    ] = None
    heartbeat: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="seconds between heartbeats; 0 turns them off; the server's unless given"),
    ] = None
    blocked_connection_timeout: Annotated[
        float, Meta(gt=0, description="seconds to wait while RabbitMQ blocks publishers")
    ] = 300.0
    connection_attempts: Annotated[
        int, Meta(ge=1, description="attempts of one connect, before the next delay begins")
    ] = 1
    retry_delay_in_seconds: Annotated[
        float, Meta(ge=0, description="seconds between the attempts of one connect")
    ] = 2.0
    ssl_cafile: Annotated[str | None, Meta(description="file of the trusted authorities")] = None
    ssl_certfile: Annotated[
        str | None,
        Meta(description="client certificate; else RABBITMQ_SSL_CLIENT_CERTIFICATE"),
    ] = None
    ssl_keyfile: Annotated[
        str | None, Meta(description="the certificate's key; else RABBITMQ_SSL_CLIENT_KEY")
    ] = None
    ssl_check_hostname: Annotated[
        bool, Meta(description="whether the server's certificate must name its host")
    ] = True

    def __post_init__(self) -> None:
        """Refuse a list without a queue.

        Raises:
            ValueError: `queue` is empty.
        """
        if not self.queue or "" in self.queues:
            raise ValueError("queue: is empty; name a queue")

    @property
    def queues(self) -> list[str]:
        """The queues that get every event."""
        return [self.queue] if isinstance(self.queue, str) else list(dict.fromkeys(self.queue))

    @property
    def exchange(self) -> str:
        """The exchange that is published to; empty for the default exchange."""
        if self.exchange_name:
            return self.exchange_name
        return DEFAULT_EXCHANGE if len(self.queues) > 1 else ""
