"""How we come in: the TLS context and the login, made once for all that one connection opens."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from typing import Any

from event_brokers import Secret
from event_brokers.plugin.tls import client_context
from event_brokers_kafka.aws import find_credentials
from event_brokers_kafka.kafka_internals import LoginProvider
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.renewal import Lease, Renewed, Value
from event_brokers_kafka.token_request import fetch_token


class Access:
    """What opens the way to a broker, until it is closed.

    Parameters:
        options: as who, and with which files.

    Attributes:
        context: for TLS; None where `security_protocol` has none.
        login: kafka-python's settings of the login; empty where there is none.
        tokens: for OAUTHBEARER; None elsewhere.

    Raises:
        ConfigurationError: a person must change something: a file, a client's secret.
        BrokerUnavailable: what a login needs cannot be had now.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self.context: ssl.SSLContext | None = client_context(options) if options.uses_tls else None
        self._renewed: Renewed[Any] | None = None
        self.tokens: Renewed[Secret] | None = None
        self.login: Mapping[str, Any] = {}
        if options.uses_sasl:
            self.login = {"sasl_mechanism": options.sasl_mechanism, **self._proof(options)}

    def close(self) -> None:
        """Renew nothing any more."""
        if self._renewed is not None:
            self._renewed.close()

    def _proof(self, options: KafkaOptions) -> dict[str, Any]:
        if options.sasl_mechanism == "OAUTHBEARER":
            name = f"the token for '{options.oauth_client_id}'"
            tokens = self.tokens = self._renewing(name, lambda: fetch_token(options))

            def newest() -> str:
                return tokens.value.reveal()

            return _provided(newest)
        if options.sasl_mechanism == "AWS_MSK_IAM":
            credentials = self._renewing("the pair of AWS credentials", find_credentials)
            return _provided(lambda: credentials.value)
        if options.sasl_mechanism == "GSSAPI":
            service = options.sasl_kerberos_service_name or "kafka"
            return {"sasl_kerberos_service_name": service}
        password = options.sasl_password
        return {
            "sasl_plain_username": options.sasl_username,
            "sasl_plain_password": password.reveal() if password else "",
        }

    def _renewing(self, name: str, fetch: Callable[[], Lease[Value]]) -> Renewed[Value]:
        renewed = self._renewed = Renewed(name, fetch)
        return renewed


def _provided(current: Callable[[], Any]) -> dict[str, Any]:
    return {"sasl_oauth_token_provider": LoginProvider(current)}
