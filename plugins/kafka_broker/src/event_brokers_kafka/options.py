"""The options of type `kafka`, named as in Rasa, and the rules over several of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal

from msgspec import Meta
from msgspec.structs import force_setattr

from event_brokers import Secret
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import TlsOptions
from event_brokers.plugin.without_effect import DELIVERY, HTTP_ENDPOINT
from event_brokers_kafka import client_traits, mechanisms
from event_brokers_kafka.address import parse
from event_brokers_kafka.client_traits import ClientName
from event_brokers_kafka.mechanisms import SaslMechanism
from event_brokers_kafka.passed_over import PASSED_OVER

SecurityProtocol = Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"]
CompressionType = Literal["none", "gzip", "snappy", "lz4", "zstd"]

# as Kafka checks it: org.apache.kafka.common.internals.Topic
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_PASSED_OVER_WITHOUT_SASL = ("sasl_username", "sasl_password")  # as in Rasa's own default files


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
        "oauth_client_secret": "oauth_client_id",
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
        Meta(
            description="SASL_PLAINTEXT where a user or another mechanism than PLAIN is given "
            "(SASL_SSL with AWS_MSK_IAM), otherwise PLAINTEXT"
        ),
    ] = None
    sasl_mechanism: Annotated[SaslMechanism, Meta(description="how it is proved who we are")] = (
        "PLAIN"
    )
    sasl_username: Annotated[str | None, Meta(description="user")] = None
    sasl_password: Annotated[Secret | None, Meta(description="the user's password")] = None
    oauth_token_url: Annotated[
        str | None, Meta(description="OAUTHBEARER: where tokens are asked for, https://...")
    ] = None
    oauth_client_id: Annotated[
        str | None, Meta(description="OAUTHBEARER: the client that tokens are given to")
    ] = None
    oauth_client_secret: Annotated[
        Secret | None, Meta(description="OAUTHBEARER: the client's secret")
    ] = None
    oauth_scope: Annotated[
        str | None, Meta(description="OAUTHBEARER: what tokens are for, where the server wants it")
    ] = None
    oauth_ssl_cafile: Annotated[
        str | None,
        Meta(
            description="PEM file of the authorities to trust at oauth_token_url; ssl_cafile, or "
            "else the system's, where not given"
        ),
    ] = None
    sasl_kerberos_service_name: Annotated[
        str | None, Meta(description="GSSAPI: the service in the brokers' principal, else kafka")
    ] = None
    compression_type: Annotated[
        CompressionType,
        Meta(description="codec of the batches; with kafka-python all but gzip need a package"),
    ] = "none"

    client: Annotated[
        ClientName,
        Meta(description="library that speaks with the brokers; librdkafka is the faster one"),
    ] = "kafka-python"

    def __post_init__(self) -> None:
        client_traits.refuse_missing(self)
        self._check_url()
        self._check_topic()
        self._take_variables()
        self._check_login()
        self._check_tls()
        client_traits.refuse_codec(self)

    def warnings(self) -> Iterable[str]:
        """Return what has no effect: a login beside a protocol without one."""
        if self.uses_sasl:
            return
        for name in _PASSED_OVER_WITHOUT_SASL:
            if getattr(self, name) is not None:
                yield f"{name}: has no effect {self._mismatch('SASL')}, or take {name} out"

    @property
    def addresses(self) -> list[Address]:
        """The brokers to ask first."""
        return parse(self.url)

    @property
    def where(self) -> str:
        """The brokers to ask first, in words."""
        return ", ".join(map(str, self.addresses))

    @property
    def protocol(self) -> SecurityProtocol:
        """The security protocol, also where it was not given."""
        if self.security_protocol is not None:
            return self.security_protocol
        if self.sasl_mechanism == "AWS_MSK_IAM":
            return "SASL_SSL"  # nothing else is taken there
        if mechanisms.takes_password(self.sasl_mechanism) and self.sasl_username is None:
            return "PLAINTEXT"
        return "SASL_PLAINTEXT"

    @property
    def uses_sasl(self) -> bool:
        """Whether the client logs in."""
        return self.protocol.startswith("SASL")

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    @property
    def user(self) -> str | None:
        """Who logs in; None where the mechanism finds that out by itself."""
        return self.oauth_client_id or self.sasl_username

    @property
    def user_option(self) -> str:
        """The option that says who logs in."""
        if self.sasl_mechanism == "OAUTHBEARER":
            return "oauth_client_id"
        return "sasl_username" if self.user else "sasl_mechanism"

    @property
    def login_options(self) -> str:
        """The options without which there would be no login, in words."""
        if mechanisms.takes_password(self.sasl_mechanism):
            return "sasl_username and sasl_password"
        return f"sasl_mechanism {self.sasl_mechanism}"

    @property
    def token_server(self) -> Address:
        """Where tokens are asked for."""
        return mechanisms.token_server(self.oauth_token_url or "")

    def _take_variables(self) -> None:
        without_server = self.oauth_token_url is None
        if self.sasl_mechanism == "OAUTHBEARER" and without_server and mechanisms.means_msk():
            force_setattr(self, "sasl_mechanism", "AWS_MSK_IAM")

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
        takes_password = mechanisms.takes_password(self.sasl_mechanism)
        lacks_user = takes_password and self.sasl_password and not self.sasl_username
        if self.security_protocol is None and lacks_user:
            raise ValueError("sasl_username: missing, although sasl_password is given; give both")
        if self.security_protocol is None or self.uses_sasl:
            mechanisms.refuse_without_effect(self)
        if self.uses_sasl:
            client_traits.refuse_mechanism(self)
            mechanisms.refuse_unfit(self)
            return
        for name in mechanisms.LOGIN_OPTIONS:
            if name not in _PASSED_OVER_WITHOUT_SASL:
                self._refuse_unused(name, "SASL")

    def _check_tls(self) -> None:
        if not self.uses_tls:
            for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password"):
                self._refuse_unused(name, "SSL")
            if self.require_tls:
                raise ValueError(f"require_tls: there is no TLS {self._mismatch('SSL')}")
        self.refuse_key_without_certificate()

    def _refuse_unused(self, name: str, word: Literal["SASL", "SSL"]) -> None:
        # whoever wrote it counts on the protection: going on without it would be silent
        if getattr(self, name) is not None:
            raise ValueError(f"{name}: has no effect {self._mismatch(word)}, or take {name} out")

    def _mismatch(self, word: Literal["SASL", "SSL"]) -> str:
        stronger = {
            ("PLAINTEXT", "SASL"): "SASL_PLAINTEXT or SASL_SSL",
            ("SSL", "SASL"): "SASL_SSL",
            ("PLAINTEXT", "SSL"): "SSL or SASL_SSL",
            ("SASL_PLAINTEXT", "SSL"): "SASL_SSL",
        }[(self.protocol, word)]
        given = "" if self.security_protocol else ", which holds where none is given"
        return f"with security_protocol {self.protocol}{given}; give security_protocol {stronger}"
