"""Asks a server that hung up without a word what it is, and why."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from event_brokers.plugin.network import Address

_PROBE_SECONDS = 3.0


def speaks_tls(address: Address) -> bool:
    """Return whether a server that hung up in plain text answers a TLS handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # nothing is sent but the handshake: the question is what is there, not who
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _connect(address, context):
            return True
    except OSError:
        return False


def find_refusal_after_handshake(address: Address, context: ssl.SSLContext) -> ssl.SSLError | None:
    """Return why a server ends every TLS connection behind its handshake; None if it does not.

    With TLS 1.3 a client's certificate is refused only then. Whoever sends at once, as pika does,
    finds the connection closed and does not see the reason.
    """
    try:
        with _connect(address, context) as connection:
            connection.recv(1)
    except ssl.SSLError as error:
        return error
    except OSError:
        pass  # it says nothing, or it is gone
    return None


@contextmanager
def _connect(address: Address, context: ssl.SSLContext) -> Iterator[ssl.SSLSocket]:
    failure: OSError | None = None
    for family, kind, _, _, place in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_STREAM
    ):
        with _unconnected(socket.socket(family, kind), address, context) as encrypted:
            try:
                encrypted.connect(place)
            except OSError as error:
                failure = error
                continue
            encrypted.do_handshake()
            yield encrypted
            return
    raise failure or OSError(f"'{address}' has no address")


def _unconnected(plain: socket.socket, address: Address, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a socket that is wrapped first: Python 3.11 loses one that is reset while it is."""
    plain.settimeout(_PROBE_SECONDS)
    return context.wrap_socket(plain, server_hostname=address.host, do_handshake_on_connect=False)
