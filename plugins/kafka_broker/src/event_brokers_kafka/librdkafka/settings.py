"""What librdkafka's producer and its consumer have in common."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from typing import Any

from event_brokers_kafka import limits
from event_brokers_kafka.access import Access
from event_brokers_kafka.clients import Entrance
from event_brokers_kafka.librdkafka.log_lines import LogLines
from event_brokers_kafka.options import KafkaOptions


def common_settings(entrance: Entrance) -> dict[str, Any]:
    """Return the settings that say where to, as who, and how long to wait."""
    options, access, broker = entrance
    return {
        "bootstrap.servers": str(broker),
        "client.id": options.client_id,
        "security.protocol": options.protocol,
        "socket.timeout.ms": int(limits.REQUEST_SECONDS * 1000),
        "socket.nagle.disable": True,
        "reconnect.backoff.max.ms": int(limits.RECONNECT_SECONDS * 1000),
        "allow.auto.create.topics": False,  # a topic that somebody deletes must not come back empty
        "enable.metrics.push": False,
        "logger": LogLines(),
        **(_tls(options) if options.uses_tls else {}),
        **(_login(options, access) if options.uses_sasl else {}),
    }


def _tls(options: KafkaOptions) -> dict[str, Any]:
    given = {
        "ssl.ca.location": options.ssl_cafile or _authorities_of_the_system(),
        "ssl.certificate.location": options.ssl_certfile,
        "ssl.key.location": options.ssl_keyfile or options.ssl_certfile,
        "ssl.key.password": options.ssl_password.reveal() if options.ssl_password else None,
        "ssl.endpoint.identification.algorithm": "https" if options.ssl_check_hostname else "none",
    }
    return {name: value for name, value in given.items() if value is not None}


def _authorities_of_the_system() -> str | None:
    """Return the file or folder that Python takes: librdkafka has an OpenSSL of its own."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath


def _login(options: KafkaOptions, access: Access) -> dict[str, Any]:
    mechanism = {"sasl.mechanism": options.sasl_mechanism}
    if access.tokens is not None:
        return {**mechanism, "oauth_cb": _newest_token(access)}
    password = options.sasl_password
    return {
        **mechanism,
        "sasl.username": options.sasl_username,
        "sasl.password": password.reveal() if password else "",
    }


def _newest_token(access: Access) -> Callable[[str], tuple[str, float]]:
    """Return what hands out a token and when it ends; waits for nothing."""

    def newest(_config: str) -> tuple[str, float]:
        assert access.tokens is not None
        lease = access.tokens.lease
        return lease.value.reveal(), time.time() + lease.seconds_left

    return newest
