"""From options to pika's connection parameters."""

from __future__ import annotations

import pika

from event_brokers_pika.options import PikaOptions
from event_brokers_pika.tls import client_context

_PLAIN_PORT, _TLS_PORT = 5672, 5671
_CONNECT_SECONDS = 10.0


def make_parameters(options: PikaOptions) -> pika.ConnectionParameters:
    """Return pika's connection parameters.

    Raises:
        ConfigurationError: a TLS file is missing or wrong.
    """
    address = options.address
    context = client_context(options)
    default_port = _TLS_PORT if address.scheme == "amqps" else _PLAIN_PORT
    password = options.password.reveal() if options.password else address.password
    return pika.ConnectionParameters(
        host=address.host,
        port=options.port or address.port or default_port,
        virtual_host=options.virtual_host or address.virtual_host or "/",
        credentials=pika.PlainCredentials(
            options.username or address.username or "guest",
            "guest" if password is None else password,
        ),
        heartbeat=options.heartbeat,
        blocked_connection_timeout=options.blocked_connection_timeout,
        socket_timeout=_CONNECT_SECONDS,
        stack_timeout=_CONNECT_SECONDS,
        ssl_options=pika.SSLOptions(context, address.host) if context else None,
        client_properties={"connection_name": "event-brokers"},
    )


def describe_server(parameters: pika.ConnectionParameters) -> str:
    """Return where RabbitMQ is, in words that hold no password."""
    host = f"[{parameters.host}]" if ":" in parameters.host else parameters.host
    return f"{host}:{parameters.port}"
