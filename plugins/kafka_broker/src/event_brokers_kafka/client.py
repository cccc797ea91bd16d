"""What kafka-python's producer and its consumer have in common."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kafka.net.compat import KafkaNetClient

from event_brokers_kafka.addresses import Address
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.sockets import DIRECT_URL

REQUEST_SECONDS = 20.0
START_SECONDS = 10.0


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


@contextmanager
def closed_on_failure() -> Iterator[Callable[..., KafkaNetClient]]:
    """Hand out what makes a client; close the client, thread and sockets, if the block fails."""
    clients: list[KafkaNetClient] = []

    def remembered(**settings: Any) -> KafkaNetClient:
        clients.append(KafkaNetClient(**settings))
        return clients[-1]

    try:
        yield remembered
    except BaseException:
        for client in clients:
            client.close()
        raise
