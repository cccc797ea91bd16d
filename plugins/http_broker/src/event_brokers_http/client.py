"""One connection to the server, and requests over it: one after the other, each with a deadline."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from event_brokers.plugin.tls import client_context, warn_of_plain_password
from event_brokers_http.deadline import Deadline
from event_brokers_http.failures import explain
from event_brokers_http.options import HTTPOptions

CONNECT_SECONDS = 5.0
_MOST_BYTES = 64 * 1024  # of an answer's body, which says nothing that we need
_CLOSED = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
_ERRORS = (OSError, UnicodeError, http.client.HTTPException, urllib3.exceptions.HTTPError)


@dataclass(frozen=True)
class Answer:
    """What the server has answered.

    Attributes:
        status: its code, such as 200.
        retry_after: the header of that name; None without it.
    """

    status: int
    retry_after: str | None = None


class Client:
    """Asks one server, over a connection that is kept open and made anew where it was closed.

    Parameters:
        options: which server, and how.

    Raises:
        ConfigurationError: a file of TLS is missing or is not what it should be.
    """

    def __init__(self, options: HTTPOptions) -> None:
        self._options = options
        self._target = options.parsed_url.target
        self._connection = _connection(options)
        self._deadline = Deadline(options.timeout)

    def ask(self, method: str, headers: Mapping[str, str], body: bytes | None = None) -> Answer:
        """Send a request and return what was answered. Nothing that is answered is an error here.

        Raises:
            ConfigurationError: a person must change something: TLS.
            BrokerUnavailable: the server cannot be reached, or has not answered in time.
        """
        try:
            return self._ask(method, headers, body)
        except _ERRORS as error:
            self._connection.close()
            raise explain(error, self._options) from error

    def close(self) -> None:
        """Close the socket, and end the thread of the deadline."""
        self._connection.close()
        self._deadline.close()

    def _ask(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        # false also where the server has closed it meanwhile
        if self._connection.is_connected:
            try:
                return self._exchange(method, headers, body)
            except _CLOSED:
                # a server may close what is kept open at any time, also as the request leaves
                self._connection.close()
        self._connect()
        return self._exchange(method, headers, body)

    def _connect(self) -> None:
        self._connection.close()
        self._connection.timeout = min(CONNECT_SECONDS, self._options.timeout)
        self._connection.connect()
        self._connection.timeout = self._options.timeout

    def _exchange(self, method: str, headers: Mapping[str, str], body: bytes | None) -> Answer:
        connection = self._connection
        with self._deadline.over(connection.sock):
            broken = self._send(method, headers, body)
            try:
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                if broken is not None:
                    raise broken from None
                raise
            with closing(response):
                self._deadline.check()  # headers end as well where the socket was shut down
                self._read_to_the_end(response)
                return Answer(response.status, response.headers.get("Retry-After"))

    def _send(
        self, method: str, headers: Mapping[str, str], body: bytes | None
    ) -> Exception | None:
        """Send a request; return the error where the server took only a part of it.

        It may have answered before it closed: that the body is too large, for one.
        """
        try:
            self._connection.request(
                method, self._target, body, headers, preload_content=False, decode_content=False
            )
        except _CLOSED as error:
            return error
        return None

    def _read_to_the_end(self, response: urllib3.BaseHTTPResponse) -> None:
        """Read what else was answered, so that the connection can be used again."""
        try:
            response.read(_MOST_BYTES)
        except _ERRORS:
            # the status was heard, and it is what counts; the next request connects again
            self._connection.close()
        if not response.closed:
            self._connection.close()


def _connection(options: HTTPOptions) -> HTTPConnection:
    url = options.parsed_url
    host, port = url.address.host, url.address.port
    if not options.uses_tls:
        if options.token is not None or options.user is not None:
            what = "the password" if options.token is None else "the token"
            warn_of_plain_password("http", url.address, "write https://", what)
        return HTTPConnection(host, port)
    context = client_context(options)
    # where the context checks no name, urllib3 would do it
    if not options.ssl_check_hostname:
        return HTTPSConnection(host, port, ssl_context=context, assert_hostname=False)
    return HTTPSConnection(host, port, ssl_context=context)
