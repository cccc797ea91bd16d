"""From options to pika's connection parameters."""

from __future__ import annotations

import os
import ssl
from urllib.parse import SplitResult, unquote, urlsplit

import pika

from event_brokers import ConfigurationError
from event_brokers_pika.options import PikaOptions

_PLAIN_PORT, _TLS_PORT = 5672, 5671
_CONNECT_SECONDS = 10.0


def parameters(options: PikaOptions) -> pika.ConnectionParameters:
    """Return pika's connection parameters; an option of its own wins over a part of the URL.

    Raises:
        ConfigurationError: the URL cannot be read, or a TLS file is missing or wrong.
    """
    url = _split(options.url.reveal())
    context = _tls_context(options, url.scheme)
    host = url.hostname or "localhost"
    default_port = _TLS_PORT if url.scheme == "amqps" else _PLAIN_PORT
    return pika.ConnectionParameters(
        host=host,
        port=options.port or url.port or default_port,
        virtual_host=_virtual_host(options, url),
        credentials=_credentials(options, url),
        heartbeat=options.heartbeat,
        blocked_connection_timeout=options.blocked_connection_timeout,
        connection_attempts=options.connection_attempts,
        retry_delay=options.retry_delay_in_seconds,
        socket_timeout=_CONNECT_SECONDS,
        stack_timeout=_CONNECT_SECONDS,
        ssl_options=pika.SSLOptions(context, host) if context else None,
        client_properties={"connection_name": "event-brokers"},
    )


def place(parameters: pika.ConnectionParameters) -> str:
    """Return where RabbitMQ is, in words that hold no password."""
    return f"{parameters.host}:{parameters.port}"


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text if "://" in text else f"amqp://{text}")
        valid = url.scheme in ("amqp", "amqps") and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        # no cause: its text may show the URL with its password
        raise ConfigurationError(
            "event_broker.url: give a host, host:port or amqp(s)://user:password@host:port/vhost"
        ) from None
    return url


def _virtual_host(options: PikaOptions, url: SplitResult) -> str:
    # as RabbitMQ's URI specification has it, no path is no virtual host, and / is written %2F
    return options.virtual_host or unquote(url.path[1:]) or "/"


def _credentials(options: PikaOptions, url: SplitResult) -> pika.PlainCredentials:
    password = options.password.reveal() if options.password else unquote(url.password or "guest")
    return pika.PlainCredentials(options.username or unquote(url.username or "guest"), password)


def _tls_context(options: PikaOptions, scheme: str) -> ssl.SSLContext | None:
    certificate = options.ssl_certfile or os.environ.get("RABBITMQ_SSL_CLIENT_CERTIFICATE")
    key = options.ssl_keyfile or os.environ.get("RABBITMQ_SSL_CLIENT_KEY")
    if scheme != "amqps" and not (options.ssl_cafile or certificate):
        return None
    try:
        context = ssl.create_default_context(cafile=options.ssl_cafile)
    except OSError as error:
        raise _unreadable("ssl_cafile", options.ssl_cafile, error) from error
    context.check_hostname = options.ssl_check_hostname
    if certificate:
        try:
            context.load_cert_chain(certificate, key)
        except OSError as error:
            raise _unreadable("ssl_certfile", certificate, error) from error
    return context


def _unreadable(option: str, file: str | None, error: OSError) -> ConfigurationError:
    # ssl.SSLError is an OSError whose strerror says what is wrong with the file
    reason = (error.strerror or "cannot be read").lower()
    return ConfigurationError(f"event_broker.{option}: '{file}': {reason}")
