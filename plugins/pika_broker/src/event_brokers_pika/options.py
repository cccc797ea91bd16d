"""The options of `type: pika`, named as in Rasa's Pika event broker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from event_brokers import Secret, SecretUrl
from event_brokers.plugin.tls import TlsOptions
from event_brokers_pika.address import Url, parse

DEFAULT_EXCHANGE = "rasa-exchange"
SHORT_STRING_BYTES = 255  # AMQP 0-9-1, section 4.2.5.3
_QUEUE_TYPE = "x-queue-type"


class PikaOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of `type: pika`."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url", "queues": "queue"}
    place: ClassVar[tuple[str, ...]] = ("url", "port", "virtual_host", "exchange_name", "queue")
    superseded: ClassVar[Mapping[str, str]] = {
        "should_keep_unpublished_messages": (
            "has no effect; events that wait are always kept, up to delivery.max_pending"
        ),
        "raise_on_failure": (
            "has no effect; connecting happens in the background and goes on until it succeeds"
        ),
        "connection_attempts": "has no effect; connecting goes on until it succeeds",
        "retry_delay_in_seconds": (
            "has no effect; the delays between attempts grow from 0.1 s to 30 s"
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
    password: Annotated[
        Secret | None, Meta(description="the user's password; guest unless given")
    ] = None
    virtual_host: Annotated[str | None, Meta(description="virtual host; / unless given")] = None
    queue: Annotated[
        str | list[str], Meta(description="queue, or a list of queues that all get every event")
    ] = "rasa_core_events"
    exchange_name: Annotated[
        str | None,
        Meta(description=f"fanout exchange; {DEFAULT_EXCHANGE} where there are several queues"),
    ] = None
    declare: Annotated[
        bool, Meta(description="whether queues, exchange and bindings that are missing are made")
    ] = True
    queue_type: Annotated[
        Literal["classic", "quorum"] | None,
        Meta(description="type of the queues that are made; the virtual host's unless given"),
    ] = None
    queue_arguments: Annotated[
        dict[str, str | bool | int | float] | None,
        Meta(description="further arguments of the queues that are made: {x-max-length: 1000}"),
    ] = None
    heartbeat: Annotated[
        Annotated[int, Meta(ge=0, le=65535)] | None,
        Meta(description="seconds between heartbeats; 0 turns them off; the server's unless given"),
    ] = None
    blocked_connection_timeout: Annotated[
        float,
        Meta(gt=0, description="seconds to wait while RabbitMQ blocks publishers, by an alarm"),
    ] = 300.0

    def __post_init__(self) -> None:
        """Check the rules over several options.

        Raises:
            ValueError: one is broken; the text begins with the option's name.
        """
        self._check_names()
        self._check_what_is_made()
        self._check_url()
        self._check_tls()

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

    @property
    def arguments_of_made_queues(self) -> dict[str, Any]:
        """What RabbitMQ is told of a queue that is made."""
        kind = {} if self.queue_type is None else {_QUEUE_TYPE: self.queue_type}
        return {**kind, **(self.queue_arguments or {})}

    @property
    def parsed_url(self) -> Url:
        """What `url` says."""
        return parse(self.url.reveal())

    def _check_names(self) -> None:
        if not self.queue or "" in self.queues:
            raise ValueError("queue: is empty; name a queue")
        for option, names in (("queue", self.queues), ("exchange_name", [self.exchange])):
            if any(len(name.encode()) > SHORT_STRING_BYTES for name in names):
                raise ValueError(f"{option}: a name is longer than {SHORT_STRING_BYTES} bytes")

    def _check_what_is_made(self) -> None:
        arguments = self.queue_arguments or {}
        if _QUEUE_TYPE in arguments:
            raise ValueError(f"queue_arguments: give {_QUEUE_TYPE} as queue_type")
        if any(len(name.encode()) > SHORT_STRING_BYTES for name in arguments):
            raise ValueError(f"queue_arguments: a name is longer than {SHORT_STRING_BYTES} bytes")
        if any(isinstance(value, int) and value.bit_length() > 63 for value in arguments.values()):
            raise ValueError("queue_arguments: a number has more than 64 bits")
        for option in ("queue_type", "queue_arguments"):
            if getattr(self, option) and not self.declare:
                raise ValueError(f"{option}: has no effect with declare: false; take one out")

    def _check_url(self) -> None:
        try:
            url = self.parsed_url
        except ValueError as error:
            raise ValueError(f"url: {error}") from error
        for option in ("port", "username", "virtual_host"):
            here, in_url = getattr(self, option), getattr(url, option)
            if None not in (here, in_url) and here != in_url:
                raise ValueError(f"{option}: {here!r}, but the url says {in_url!r}; give one")
        if self.password and url.password not in (None, self.password.reveal()):
            raise ValueError("password: is not the one in the url; give one")

    def _check_tls(self) -> None:
        self.refuse_key_without_certificate()
        if self.parsed_url.scheme != "amqp":
            return
        for option in ("ssl_cafile", "ssl_certfile"):
            # whoever wrote it counts on TLS: going on without it would be silent
            if getattr(self, option) is not None:
                raise ValueError(
                    f"{option}: has no effect with an amqp:// url; "
                    f"write amqps://, or take {option} out"
                )
