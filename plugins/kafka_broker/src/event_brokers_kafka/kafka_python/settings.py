"""What kafka-python's producer and its consumer have in common."""

from __future__ import annotations

from typing import Any

from event_brokers_kafka import limits
from event_brokers_kafka.clients import Entrance
from event_brokers_kafka.kafka_internals import DIRECT_URL


def common_settings(entrance: Entrance) -> dict[str, Any]:
    """Return the settings that say where to, as who, and how long to wait."""
    options, access, broker = entrance
    return {
        "bootstrap_servers": [str(broker)],
        "client_id": options.client_id,
        "security_protocol": options.protocol,
        "ssl_context": access.context,
        "request_timeout_ms": int(limits.REQUEST_SECONDS * 1000),
        "bootstrap_timeout_ms": int(limits.START_SECONDS * 1000),
        "reconnect_backoff_max_ms": int(limits.RECONNECT_SECONDS * 1000),
        "proxy_url": DIRECT_URL,
        "metrics_enabled": False,  # nobody reads them
        **access.login,
    }
