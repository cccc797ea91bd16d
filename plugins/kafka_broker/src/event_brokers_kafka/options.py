"""The options of type `kafka`, named as in Rasa, and the rules over several of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from event_brokers import Secret
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import TlsOptions
from event_brokers.plugin.without_effect import DELIVERY, HTTP_ENDPOINT
from event_brokers_kafka.address import parse
from event_brokers_kafka.passed_over import PASSED_OVER

SecurityProtocol = Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
CompressionType = Literal["none", "gzip", "snappy", "lz4", "zstd"]

# as Kafka checks it: org.apache.kafka.common.internals.Topic
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_CODEC_PACKAGES = {"snappy": "python-snappy", "lz4": "lz4", "zstd": "zstandard"}


class KafkaOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of type `kafka`."""

    synonyms: ClassVar[Mapping[str, str]] = {
        "host": "url",
        "sasl_plain_username": "sasl_username",
        "sasl_plain_password": "sasl_password",
    }
    superseded: ClassVar[Mapping[str, str]] = {
        "queue_size": "has no effect: events wait in the queue that delivery.max_pending bounds",
        **PASSED_OVER,
        **DELIVERY,
        **HTTP_ENDPOINT,
    }
    # empty, it is none of its words, and so it is refused
    may_be_empty: ClassVar[Sequence[str]] = ("security_protocol",)
    refuses_empty: ClassVar[Mapping[str, str | None]] = {
        **TlsOptions.refuses_empty,
        "sasl_password": "sasl_username",
    }
    place: ClassVar[tuple[str, ...]] = ("url", "topic")
    port_option: ClassVar[str] = "url"

    url: Annotated[
        str | list[str],
        Meta(description="brokers to ask first: host, host:port, several with commas, or a list"),
    ]
    topic: Annotated[str, Meta(description="topic that the events go to")] = "rasa_core_events"
    client_id: Annotated[str, Meta(description="name in the brokers' logs, metrics and quotas")] = (
        "event-brokers"
    )
    partition_by_sender: Annotated[
        bool,
        Meta(description="key = sender_id, which keeps a conversation in order in one partition"),
    ] = True
    security_protocol: Annotated[
        SecurityProtocol | None,
        Meta(description="SASL_PLAINTEXT where a user is given, otherwise PLAINTEXT"),
    ] = None
    sasl_mechanism: Annotated[
        SaslMechanism, Meta(description="how user and password are proved")
    ] = "PLAIN"
    sasl_username: Annotated[str | None, Meta(description="user")] = None
    sasl_password: Annotated[Secret | None, Meta(description="the user's password")] = None
    compression_type: Annotated[
        CompressionType, Meta(description="codec of the batches; all but gzip need a package")
    ] = "none"

    def __post_init__(self) -> None:
        self._check_url()
        self._check_topic()
        self._check_login()
        self._check_tls()
        self._check_compression()

    def warnings(self) -> Iterable[str]:
        """Return what has no effect: a login beside a protocol without one."""
        if self.uses_sasl:
            return
        for name in ("sasl_username", "sasl_password"):
            if getattr(self, name) is not None:
                yield f"{name}: has no effect {self._mismatch('SASL')}, or take {name} out"

    @property
    def addresses(self) -> list[Address]:
        """The brokers to ask first."""
        return parse(self.url)

    @property
    def protocol(self) -> SecurityProtocol:
        """The security protocol, also where it was not given."""
        if self.security_protocol is not None:
            return self.security_protocol
        return "PLAINTEXT" if self.sasl_username is None else "SASL_PLAINTEXT"

    @property
    def uses_sasl(self) -> bool:
        """Whether the client logs in with user and password."""
        return self.protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    def _check_url(self) -> None:
        try:
            parse(self.url)
        except ValueError as error:
            raise ValueError(f"url: {error}") from error

    def _check_topic(self) -> None:
        if not _TOPIC.fullmatch(self.topic) or self.topic in (".", ".."):
            raise ValueError(
                f"topic: '{self.topic}' is no topic's name; "
                "take 1 to 249 letters, digits, '.', '_' and '-'"
            )

    def _check_login(self) -> None:
        if self.security_protocol is None and self.sasl_password and not self.sasl_username:
            raise ValueError("sasl_username: missing, although sasl_password is given; give both")
        if not self.uses_sasl:
            return
        if not self.sasl_username:
            raise ValueError(f"sasl_username: missing; {self.protocol} needs it")
        if self.sasl_password is None:
            raise ValueError(f"sasl_password: missing; {self.protocol} needs it")

    def _check_tls(self) -> None:
        if not self.uses_tls:
            for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"):
                self._refuse_unused(name)
            if self.require_tls:
                raise ValueError(f"require_tls: there is no TLS {self._mismatch('SSL')}")
        self.refuse_key_without_certificate()

    def _refuse_unused(self, name: str) -> None:
        # whoever wrote it counts on the protection: going on without it would be silent
        if getattr(self, name) is not None:
            raise ValueError(f"{name}: has no effect {self._mismatch('SSL')}, or take {name} out")

    def _mismatch(self, word: Literal["SASL", "SSL"]) -> str:
        stronger = {
            ("PLAINTEXT", "SASL"): "SASL_PLAINTEXT or SASL_SSL",
            ("SSL", "SASL"): "SASL_SSL",
            ("PLAINTEXT", "SSL"): "SSL or SASL_SSL",
            ("SASL_PLAINTEXT", "SSL"): "SASL_SSL",
        }[(self.protocol, word)]
        given = "" if self.security_protocol else ", which holds where none is given"
        return f"with security_protocol {self.protocol}{given}; give security_protocol {stronger}"

    def _check_compression(self) -> None:
        package = _CODEC_PACKAGES.get(self.compression_type)
        if package is None:
            return
        from kafka import codec  # noqa: PLC0415 - most configurations do not need it

        if not getattr(codec, f"has_{self.compression_type}")():
            raise ValueError(
                f"compression_type: '{self.compression_type}' needs a package; "
                f"pip install {package}"
            )
