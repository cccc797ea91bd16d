"""Asks an OAuth 2.0 server for a token by client credentials: RFC 6749, section 4.4.

By the standard library alone: it is one request, and an HTTP client as a dependency would have to
fit into every environment of Rasa. A redirection is not followed, so that the secret goes nowhere
else.
"""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import ClassVar
from urllib.parse import quote_plus, unquote, urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import msgspec

from event_brokers import BrokerUnavailable, ConfigurationError, Secret
from event_brokers.plugin.network import Address, connection_problem
from event_brokers.plugin.tls import (
    TlsOptions,
    client_context,
    handshake_problem,
    warn_of_plain_password,
)
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.renewal import Lease

REQUEST_SECONDS = 10.0
_WAIT_SECONDS = 5.0  # for any one answer of the network
_MOST_BYTES = 256 * 1024
_UNKNOWN_SECONDS = 60.0  # where the server does not say for how long a token is good
_LONGEST_SECONDS = 86_400.0
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1
_REFUSED_CLIENT = ("invalid_client",)
_REFUSED_GRANT = ("unauthorized_client", "unsupported_grant_type")


class _TokenServerTls(TlsOptions, frozen=True, kw_only=True):
    """The TLS options towards the token server."""

    port_option: ClassVar[str] = "oauth_token_url"


class _Answer(msgspec.Struct):
    """What the server says where it gives a token: RFC 6749, section 5.1."""

    access_token: str
    expires_in: float | None = None


class _Refusal(msgspec.Struct):
    """What it says where it gives none: RFC 6749, section 5.2."""

    error: str = ""


def fetch_token(options: KafkaOptions) -> Lease[Secret]:
    """Return a new token.

    Parameters:
        options: where the server is, and as who.

    Raises:
        ConfigurationError: the server gives us none; says what a person must change.
        BrokerUnavailable: it cannot be reached, or does not answer within REQUEST_SECONDS.
    """
    since = time.monotonic()
    status, body = _ask(options)
    if status != http.HTTPStatus.OK:
        raise _refused(status, body, options)
    try:
        answer = msgspec.json.decode(body, type=_Answer, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer("")
    if not _TOKEN.fullmatch(answer.access_token):
        raise _error(
            "oauth_token_url",
            f"'{_shown_url(options)}' answers without a token; give the token endpoint",
        )
    seconds = _UNKNOWN_SECONDS if answer.expires_in is None else answer.expires_in
    return Lease(Secret(answer.access_token), since, min(_LONGEST_SECONDS, max(1.0, seconds)))


def _ask(options: KafkaOptions) -> tuple[int, bytes]:
    """Return the status and the body of the answer."""
    url = urlsplit(options.oauth_token_url or "")
    address = options.token_server
    if url.scheme == "http":
        way_out = "write https:// in oauth_token_url"
        warn_of_plain_password("kafka", address, way_out, "the client secret")
    tls = _TokenServerTls(ssl_cafile=options.oauth_ssl_cafile or options.ssl_cafile)
    connection = _connection(address, _context(tls) if url.scheme == "https" else None)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection.connect()
        with _ended_in_time(connection.sock):
            connection.request("POST", path, _form(options), _headers(options))
            answer = connection.getresponse()
            return answer.status, answer.read(_MOST_BYTES)
    except (OSError, UnicodeError, http.client.HTTPException) as error:
        raise _unreachable(error, address, tls) from error
    finally:
        connection.close()


def _connection(address: Address, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    """Return what speaks with the server: without TLS directly, with TLS also through a proxy."""
    if context is None:
        return http.client.HTTPConnection(address.host, address.port, timeout=_WAIT_SECONDS)
    proxy = urlsplit(getproxies().get("https", ""))
    if proxy.hostname is None or proxy_bypass(address.host):
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=_WAIT_SECONDS, context=context
        )
    connection = http.client.HTTPSConnection(
        proxy.hostname, proxy.port or 80, timeout=_WAIT_SECONDS, context=context
    )
    login = {}
    if proxy.username is not None:
        words = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        login["Proxy-Authorization"] = _basic(words)
    connection.set_tunnel(address.host, address.port, login)
    return connection


def _form(options: KafkaOptions) -> str:
    scope = {"scope": options.oauth_scope} if options.oauth_scope else {}
    return urlencode({"grant_type": "client_credentials", **scope})


def _headers(options: KafkaOptions) -> dict[str, str]:
    secret = options.oauth_client_secret.reveal() if options.oauth_client_secret else ""
    # each is encoded as in a form, so that a colon ends the id: RFC 6749, section 2.3.1
    client = f"{quote_plus(options.oauth_client_id or '')}:{quote_plus(secret)}"
    return {
        "Authorization": _basic(client),
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": "application/json",
    }


def _basic(words: str) -> str:
    return f"Basic {base64.b64encode(words.encode()).decode()}"


@contextmanager
def _ended_in_time(connected: socket.socket) -> Iterator[None]:
    """Let the block fail once its time is over, also where bytes still drip in."""
    deadline = time.monotonic() + REQUEST_SECONDS
    timer = threading.Timer(REQUEST_SECONDS, _shut_down, [connected])
    timer.daemon = True
    timer.start()
    try:
        yield
        if time.monotonic() >= deadline:
            raise TimeoutError  # what was read is what had come until then
    except (OSError, http.client.HTTPException) as error:
        if time.monotonic() >= deadline:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # it is closed already
        connected.shutdown(socket.SHUT_RDWR)


def _context(tls: TlsOptions) -> ssl.SSLContext:
    try:
        return client_context(tls)
    except ConfigurationError as error:
        raise ConfigurationError(_about_token_server(str(error))) from error


def _unreachable(error: Exception, address: Address, tls: TlsOptions) -> Exception:
    problem = handshake_problem(error, str(address), tls)
    if problem is not None:
        return ConfigurationError(_about_token_server(problem))
    reason = connection_problem(error, address)
    if reason is not None:
        return BrokerUnavailable(f"no token: {reason}")
    return _error("oauth_token_url", f"'{address}' does not speak HTTP; give the token endpoint")


def _about_token_server(problem: str) -> str:
    """Return the sentence with the option that means this server."""
    for of_the_broker, of_this_server in (
        ("ssl_cafile", "oauth_ssl_cafile"),
        ("ssl_check_hostname", "oauth_token_url"),
        ("ssl_certfile", "oauth_token_url"),
    ):
        problem = problem.replace(
            f"event_broker.{of_the_broker}:", f"event_broker.{of_this_server}:"
        )
    return problem


def _refused(
    status: int, body: bytes, options: KafkaOptions
) -> ConfigurationError | BrokerUnavailable:
    url, client = _shown_url(options), options.oauth_client_id
    try:
        # a word of the list alone: what else the server says may repeat what it was sent
        word = msgspec.json.decode(body, type=_Refusal).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        word = ""
    if status == http.HTTPStatus.TOO_MANY_REQUESTS or status >= 500:
        return BrokerUnavailable(f"no token: {options.token_server} answers {status}")
    if word in _REFUSED_CLIENT or status == http.HTTPStatus.UNAUTHORIZED:
        return _error(
            "oauth_client_secret",
            f"'{url}' refuses the client '{client}'; check oauth_client_id and oauth_client_secret",
        )
    if word in _REFUSED_GRANT:
        return _error(
            "oauth_client_id",
            f"'{url}' gives the client '{client}' no token by client credentials; allow it there",
        )
    if word == "invalid_scope":
        scope = f"'{options.oauth_scope}'" if options.oauth_scope else "no scope"
        return _error("oauth_scope", f"'{url}' does not take {scope}; give one that it knows")
    if 300 <= status < 400:
        return _error("oauth_token_url", f"'{url}' leads elsewhere; give the address it leads to")
    return _error("oauth_token_url", f"'{url}' answers {status}; give the token endpoint")


def _shown_url(options: KafkaOptions) -> str:
    url = urlsplit(options.oauth_token_url or "")
    return f"{url.scheme}://{url.netloc}{url.path}"


def _error(option: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"event_broker.{option}: {text}")
