"""What kafka-python's producer and its consumer have in common."""

from __future__ import annotations

import ssl
from typing import Any

from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import client_context
from event_brokers_kafka.kafka_internals import DIRECT_URL
from event_brokers_kafka.options import KafkaOptions

REQUEST_SECONDS = 10.0
START_SECONDS = 10.0


def tls_context(options: KafkaOptions) -> ssl.SSLContext | None:
    """Return the TLS context for the options; None where `security_protocol` has no TLS.

    Raises:
        ConfigurationError: a file is missing or is not what it should be.
    """
    return client_context(options) if options.uses_tls else None


def client_settings(
    options: KafkaOptions, context: ssl.SSLContext | None, first: Address
) -> dict[str, Any]:
    """Return the settings that say where to, as who, and how long to wait.

    Parameters:
        options: where to, and as who.
        context: for TLS; None speaks in plain text.
        first: the broker to ask first, which has let us in.
    """
    settings: dict[str, Any] = {
        "bootstrap_servers": [str(first)],
        "client_id": options.client_id,
        "security_protocol": options.protocol,
        "ssl_context": context,
        "request_timeout_ms": int(REQUEST_SECONDS * 1000),
        "bootstrap_timeout_ms": int(START_SECONDS * 1000),
        "reconnect_backoff_max_ms": 1000,
        "proxy_url": DIRECT_URL,
        "metrics_enabled": False,  # nobody reads them
    }
    if options.uses_sasl and options.sasl_password is not None:
        settings["sasl_mechanism"] = options.sasl_mechanism
        settings["sasl_plain_username"] = options.sasl_username
        settings["sasl_plain_password"] = options.sasl_password.reveal()
    return settings
