"""Which RabbitMQ the options mean: where it listens, who signs in there, and over which TLS."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import TlsOptions
from event_brokers_pika.address import Url
from event_brokers_pika.options import PikaOptions

# Rasa's names
CERTIFICATE_VARIABLE = "RABBITMQ_SSL_CLIENT_CERTIFICATE"
KEY_VARIABLE = "RABBITMQ_SSL_CLIENT_KEY"
_PLAIN_PORT, _TLS_PORT = 5672, 5671


@dataclass(frozen=True)
class Server:
    """A RabbitMQ, and the login to it.

    Attributes:
        address: where it listens.
        username: who signs in.
        password: not in the repr.
        virtual_host: the one that is entered.
        tls: the files of TLS; None where there is no TLS.
    """

    address: Address
    username: str
    password: str = field(repr=False)
    virtual_host: str
    tls: TlsOptions | None


def find_server(options: PikaOptions) -> Server:
    """Return what the options, their URL and Rasa's environment variables come to."""
    url = options.parsed_url
    default_port = _TLS_PORT if url.scheme == "amqps" else _PLAIN_PORT
    password = options.password.reveal() if options.password else url.password
    return Server(
        Address(url.host, options.port or url.port or default_port),
        options.username or url.username or "guest",
        "guest" if password is None else password,
        options.virtual_host or url.virtual_host or "/",
        _find_tls(options, url),
    )


def _find_tls(options: PikaOptions, url: Url) -> TlsOptions | None:
    given = options.tls_files
    certificate, key = given.ssl_certfile, given.ssl_keyfile
    if certificate is None:
        certificate = os.environ.get(CERTIFICATE_VARIABLE) or None
        key = os.environ.get(KEY_VARIABLE) or None
    if url.scheme != "amqps" and not (given.ssl_cafile or certificate):
        return None
    return TlsOptions(
        ssl_cafile=given.ssl_cafile,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        ssl_password=options.ssl_password,
        ssl_check_hostname=options.ssl_check_hostname,
    )
