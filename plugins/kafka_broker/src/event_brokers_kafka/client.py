"""What kafka-python's producer and its consumer have in common."""

from __future__ import annotations

from typing import Any

from event_brokers.plugin.network import Address
from event_brokers_kafka.access import Access
from event_brokers_kafka.kafka_internals import DIRECT_URL
from event_brokers_kafka.options import KafkaOptions

REQUEST_SECONDS = 10.0
START_SECONDS = 10.0


def client_settings(options: KafkaOptions, access: Access, first: Address) -> dict[str, Any]:
    """Return the settings that say where to, as who, and how long to wait.

    Parameters:
        options: where to.
        access: as who.
        first: the broker to ask first, which has let us in.
    """
    return {
        "bootstrap_servers": [str(first)],
        "client_id": options.client_id,
        "security_protocol": options.protocol,
        "ssl_context": access.context,
        "request_timeout_ms": int(REQUEST_SECONDS * 1000),
        "bootstrap_timeout_ms": int(START_SECONDS * 1000),
        "reconnect_backoff_max_ms": 1000,
        "proxy_url": DIRECT_URL,
        "metrics_enabled": False,  # nobody reads them
        **access.login,
    }
