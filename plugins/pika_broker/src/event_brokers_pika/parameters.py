"""From options to pika's connection parameters."""

from __future__ import annotations

import ssl

import pika

from event_brokers.plugin.tls import client_context, refuse_plain_text, warn_of_plain_password
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.server import Server, find_server

_CONNECT_SECONDS = 10.0
_WAY_TO_TLS = "write amqps://"


def make_parameters(options: PikaOptions) -> pika.ConnectionParameters:
    """Return pika's connection parameters.

    Raises:
        ConfigurationError: a TLS file is missing or wrong, or TLS is required and there is none.
    """
    server, url = find_server(options), options.parsed_url
    context = _make_context(options, server)
    return pika.ConnectionParameters(
        host=server.address.host,
        port=server.address.port,
        virtual_host=server.virtual_host,
        credentials=pika.PlainCredentials(server.username, server.password),
        heartbeat=url.heartbeat if options.heartbeat is None else options.heartbeat,
        blocked_connection_timeout=options.blocked_connection_timeout,
        socket_timeout=_CONNECT_SECONDS,
        stack_timeout=_CONNECT_SECONDS,
        ssl_options=pika.SSLOptions(context, server.address.host) if context else None,
        client_properties={"connection_name": "event-brokers"},
    )


def _make_context(options: PikaOptions, server: Server) -> ssl.SSLContext | None:
    if server.tls is not None:
        return client_context(server.tls)
    refuse_plain_text(options, str(server.address), _WAY_TO_TLS)
    warn_of_plain_password("pika", server.address, _WAY_TO_TLS)
    return None
