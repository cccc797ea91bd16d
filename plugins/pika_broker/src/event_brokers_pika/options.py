"""The options of `type: pika`, named as in Rasa's Pika event broker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from event_brokers import Secret, SecretUrl
from event_brokers.plugin.tls import TlsOptions
from event_brokers.plugin.without_effect import DELIVERY, HTTP_ENDPOINT
from event_brokers_pika.address import Url, parse

# Rasa's, from rasa/core/brokers/pika.py
DEFAULT_EXCHANGE = "rasa-exchange"
DEFAULT_QUEUE = "rasa_core_events"
SHORT_STRING_BYTES = 255  # AMQP 0-9-1, section 4.2.5.3
_QUEUE_TYPE = "x-queue-type"
_FILES_IN_URL = ("ssl_cafile", "ssl_certfile", "ssl_keyfile")


class PikaOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of `type: pika`."""

    synonyms: ClassVar[Mapping[str, str]] = {"host": "url"}
    superseded: ClassVar[Mapping[str, str]] = {**DELIVERY, **HTTP_ENDPOINT}
    may_be_empty: ClassVar[Sequence[str]] = ("exchange_name",)
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "password": "username",
    }
    place: ClassVar[tuple[str, ...]] = (
        "url", "port", "virtual_host", "exchange_name", "queues", "queue",
    )  # fmt: skip

    url: Annotated[
        SecretUrl,
        Meta(
            description="host, host:port, or amqp(s)://user:password@host:port/vhost; an amqps URL "
            "may end with ?cafile=...&certfile=...&keyfile=...&heartbeat=..."
        ),
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
    queues: Annotated[
        str | list[str] | None,
        Meta(
            description="queue, or a list of queues, bound to the exchange, so that each gets "
            f"every event; {DEFAULT_QUEUE} where neither queues nor queue is given"
        ),
    ] = None
    queue: Annotated[
        str | list[str] | None,
        Meta(description="one queue that is published to alone, without an exchange"),
    ] = None
    exchange_name: Annotated[
        str | None,
        Meta(
            description=f"fanout exchange; {DEFAULT_EXCHANGE} unless given, and none for queue; "
            'none where it is ""'
        ),
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

    def warnings(self) -> Iterable[str]:
        """Return what has no effect."""
        if self.queue is not None and self.queues:
            yield "queue: has no effect beside queues, and Rasa 3 passes over it, too"

    @property
    def queue_names(self) -> list[str]:
        """The queues that get every event."""
        given = self.queues or DEFAULT_QUEUE  # as in Rasa, an empty list is the default
        if not self.queues and self.queue is not None:
            given = self.queue
        return [given] if isinstance(given, str) else list(dict.fromkeys(given))

    @property
    def queue_option(self) -> str:
        """The option that names the queues."""
        return "queue" if self._is_queue_alone else "queues"

    @property
    def exchange(self) -> str:
        """The exchange that is published to; empty for the default exchange."""
        if self.exchange_name is not None:
            return self.exchange_name
        return "" if self._is_queue_alone and len(self.queue_names) == 1 else DEFAULT_EXCHANGE

    @property
    def arguments_of_made_queues(self) -> dict[str, Any]:
        """What RabbitMQ is told of a queue that is made."""
        kind = {} if self.queue_type is None else {_QUEUE_TYPE: self.queue_type}
        return {**kind, **(self.queue_arguments or {})}

    @property
    def parsed_url(self) -> Url:
        """What `url` says."""
        return parse(self.url.reveal())

    @property
    def _is_queue_alone(self) -> bool:
        return not self.queues and self.queue is not None

    @property
    def tls_files(self) -> TlsOptions:
        """The options of TLS, with the files that the url names."""
        url = self.parsed_url
        given = {name: getattr(self, name) for name in TlsOptions.__struct_fields__}
        in_url = {name: getattr(url, name) for name in _FILES_IN_URL if given[name] is None}
        return TlsOptions(**(given | in_url))

    def _check_names(self) -> None:
        queues = self.queue_names
        if not queues or "" in queues:
            raise ValueError(f"{self.queue_option}: is empty; name a queue")
        for option, names in ((self.queue_option, queues), ("exchange_name", [self.exchange])):
            if any(len(name.encode()) > SHORT_STRING_BYTES for name in names):
                raise ValueError(f"{option}: a name is longer than {SHORT_STRING_BYTES} bytes")
        if not self.exchange and len(queues) > 1:
            raise ValueError(
                "exchange_name: is empty, and without an exchange an event goes into one queue "
                "alone; name an exchange, or one queue"
            )

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
        for option in ("port", "username", "virtual_host", "heartbeat", *_FILES_IN_URL):
            here, in_url = getattr(self, option), getattr(url, option)
            if None not in (here, in_url) and here != in_url:
                raise ValueError(f"{option}: {here!r}, but the url says {in_url!r}; give one")
        if self.password and url.password not in (None, self.password.reveal()):
            raise ValueError("password: is not the one in the url; give one")

    def _check_tls(self) -> None:
        self.tls_files.refuse_key_without_certificate()
        if self.parsed_url.scheme != "amqp":
            return
        for option in ("ssl_cafile", "ssl_certfile"):
            # whoever wrote it counts on TLS: going on without it would be silent
            if getattr(self, option) is not None:
                raise ValueError(
                    f"{option}: has no effect with an amqp:// url; "
                    f"write amqps://, or take {option} out"
                )
