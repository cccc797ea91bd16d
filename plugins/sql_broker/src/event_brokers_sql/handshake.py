"""What a driver that speaks TLS in C keeps to itself: why it got none, and the certificate."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable

from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from event_brokers_sql.address import address_of
from event_brokers_sql.tls import Tls

_SECONDS = 3.0
_NO_TLS_NUMBER = 2026  # PyMySQL's, of a server that offers none
# https://www.postgresql.org/docs/current/protocol-message-formats.html
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_YES, _NO = b"S", b"N"


def find_tls_problem(error: DBAPIError, url: URL, tls: Tls) -> str | None:
    """Return what a person must change where TLS failed; None where it did not.

    Parameters:
        error: what connecting raised.
        url: of the database.
        tls: that was asked for.
    """
    if url.get_driver_name() == "psycopg":
        return _shake_hands(url, tls, _wait_for_refusal)
    server = str(address_of(url))
    problem = tls.find_problem(error, server)
    if problem is None and getattr(error.orig, "args", ())[:1] == (_NO_TLS_NUMBER,):
        return tls.word_absence(server)
    return problem


def see_certificate(url: URL, tls: Tls) -> None:
    """Let the server show its certificate here too, where the driver lets nobody see it.

    Parameters:
        url: of a database that was connected to.
        tls: with which it was.
    """
    if url.get_driver_name() == "psycopg":
        # what is wrong with it, the driver would have said
        _shake_hands(url, tls, lambda _encrypted, _tls: None)


def _shake_hands(url: URL, tls: Tls, listen: Callable[[ssl.SSLSocket, Tls], None]) -> str | None:
    """Do once more what libpq did, which says only that verification failed."""
    address = address_of(url)
    at = url.query.get("hostaddr", address.host)
    if "host" in url.query or not isinstance(at, str):
        return None  # a socket of this machine, or several servers
    try:
        with socket.create_connection((at, address.port), _SECONDS) as plain:
            plain.sendall(_SSL_REQUEST)
            answer = plain.recv(1)
            if answer == _NO:
                return tls.word_absence(str(address))
            if answer == _YES:
                context = tls.make_context()
                with context.wrap_socket(plain, server_hostname=address.host) as encrypted:
                    listen(encrypted, tls)
    except ssl.SSLError as error:
        return tls.find_problem(error, str(address))
    except OSError:
        pass  # it has gone, which is no matter of TLS
    return None


def _wait_for_refusal(encrypted: ssl.SSLSocket, tls: Tls) -> None:
    """Read what a server says that refuses a client's certificate: with TLS 1.3 it comes late.

    Whoever sends something meanwhile may find the connection closed, and not see the reason.
    """
    if tls.options.ssl_certfile is not None:
        encrypted.recv(1)
