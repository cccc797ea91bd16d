"""What a type with one server gets from the floor: options, TLS and failures in words."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import BrokerUnavailable, ConfigurationError, RejectedEvents
from event_brokers.endpoints import read_options
from event_brokers.plugin import tls
from event_brokers.plugin.network import Address
from event_brokers.plugin.server import (
    ServerOptions,
    describe,
    explaining,
    refuse_downgrade,
    refuse_to_make_again,
    tls_context,
)
from event_brokers.section import from_mapping
from servers.certificates import Certificates

WHERE = "'localhost:4711'"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)


class SomeOptions(ServerOptions, frozen=True, kw_only=True):
    """The options of a plugin with one server."""

    default_port: ClassVar[int] = 4711


class ClientError(Exception):
    """What a client library raises, whatever has happened."""


class WrongPassword(ClientError):
    """What a client library raises when the server lets nobody in."""


def options(**given: Any) -> SomeOptions:
    """Return the options that a section stands for."""
    return read_options(from_mapping(given), SomeOptions)


def explained(error: Exception, **given: Any) -> Exception:
    """Return what comes out of the block in which a client has raised an error."""
    with (
        pytest.raises(Exception) as raised,  # noqa: PT011 - which one is what is asked
        explaining(options(**given), denied=(WrongPassword,), lost=(ClientError,)),
    ):
        raise error
    return raised.value


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates and keys in files."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ({}, Address("localhost", 4711)),
        ({"url": "broker"}, Address("broker", 4711)),
        ({"host": "broker:1"}, Address("broker", 1)),
        ({"url": "[::1]:1"}, Address("::1", 1)),
    ],
)
def test_the_url_says_where_the_server_is(given: dict[str, str], address: Address) -> None:
    """With the type's own port where it names none."""
    assert options(**given).address == address


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"url": "a:b:c"}, "event_broker.url: 'a:b:c' is not host or host:port"),
        ({"url": "me:canary@host"}, "event_broker.url: a host has no user"),
        ({"ssl_cafile": "ca.pem"}, "event_broker.ssl_cafile: has no effect without TLS; give tls"),
        ({"require_tls": True}, "event_broker.require_tls: has no effect without TLS; give tls"),
        (
            {"tls": True, "ssl_keyfile": "key.pem"},
            "event_broker.ssl_keyfile: has no effect without ssl_certfile",
        ),
    ],
)
def test_a_mistake_is_found_before_anything_connects(given: dict[str, Any], sentence: str) -> None:
    """Whoever asks for TLS in one option, and not in the other, is told."""
    with pytest.raises(ConfigurationError) as raised:
        options(**given)
    assert str(raised.value).startswith(sentence)
    assert "canary" not in str(raised.value)


@given(TEXTS)
def test_any_url_is_an_address_or_a_sentence(text: str) -> None:
    """No text fails in any other way."""
    try:
        found = options(url=text)
    except ConfigurationError as error:
        assert str(error).startswith("event_broker.url: ")  # noqa: PT017 - some are addresses
        return
    assert 1 <= found.address.port <= 65535


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(), "localhost:4711 refused the connection"),
        (asyncio.TimeoutError(), "localhost:4711 does not answer"),
        (socket.gaierror(), "no address found for host 'localhost'"),
        (ClientError("canary"), "localhost:4711: the client failed with ClientError"),
    ],
)
def test_a_server_that_is_away_is_unavailable(error: Exception, sentence: str) -> None:
    """Also where the client's own error stands around what happened; what it says is not shown."""
    assert str(explained(error)) == sentence
    around = ClientError("canary")
    around.__cause__ = error
    for found in (explained(error), explained(around)):
        assert isinstance(found, BrokerUnavailable)
        assert found.__suppress_context__
        assert found.__cause__ is None
    if not isinstance(error, ClientError):
        assert str(explained(around)) == sentence


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"username": "me", "password": "canary"},
            f"event_broker.password: {WHERE} refuses the user 'me'; check username and password",
        ),
        (
            {"password": "canary"},
            "event_broker.password: 'localhost:4711' refuses it; check username and password",
        ),
        ({}, "event_broker.password: missing; 'localhost:4711' lets nobody in without one"),
    ],
)
def test_who_is_not_let_in_has_something_to_change(given: dict[str, str], sentence: str) -> None:
    """The password is in no sentence."""
    found = explained(WrongPassword("canary"), **given)
    assert isinstance(found, ConfigurationError)
    assert str(found) == sentence


@pytest.mark.parametrize(
    "error", [RejectedEvents({"id": "too large"}), ConfigurationError("x"), ValueError("x")]
)
def test_what_is_not_about_the_server_goes_through(error: Exception) -> None:
    """What the plugin has explained itself, and what may be about one event."""
    assert explained(error) is error


def test_a_failed_handshake_is_a_configuration_error(files: Certificates) -> None:
    """With the option to change; without TLS, the one that turns it on."""
    untrusted = ssl.SSLCertVerificationError("canary")
    found = explained(untrusted, tls=True, ssl_cafile=str(files.ca))
    assert isinstance(found, ConfigurationError)
    assert str(found).startswith("event_broker.ssl_cafile: the certificate of 'localhost:4711'")
    found = explained(untrusted)
    assert isinstance(found, ConfigurationError)
    assert str(found) == "event_broker.tls: 'localhost:4711' wants TLS; give tls: true"


@pytest.fixture
def tls_port(files: Certificates) -> Iterator[int]:
    """Return a port at which one handshake is made."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_certificate, files.server_key)

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with context.wrap_socket(connection, server_side=True) as encrypted:
            encrypted.sendall(b"x")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve, args=(listener,))
        server.start()
        yield listener.getsockname()[1]
        server.join()


def test_a_password_is_not_sent_before_the_handshake(files: Certificates, tls_port: int) -> None:
    """A server that has not begun TLS, though it was asked for, is refused; after it, it is not."""
    given = options(url=f"localhost:{tls_port}", tls=True, ssl_cafile=str(files.ca))
    context = tls_context(given, "some")
    assert context is not None
    with pytest.raises(ConfigurationError, match=r"^event_broker.tls: .* offers no TLS"):
        refuse_downgrade(given, context)
    with (
        socket.create_connection(("127.0.0.1", tls_port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as encrypted,
    ):
        assert encrypted.recv(1) == b"x"
    refuse_downgrade(given, context)


def test_without_tls_there_is_nothing_to_refuse(caplog: pytest.LogCaptureFixture) -> None:
    """But a password that goes to another machine in plain text is warned of."""
    tls._warned_of.clear()
    given = options(url="broker", password="canary")
    with caplog.at_level(logging.WARNING):
        context = tls_context(given, "some")
    assert context is None
    refuse_downgrade(given, context)
    assert "some: the password can be read on its way to 'broker:4711'" in caplog.text
    assert "canary" not in caplog.text


def test_a_place_that_was_used_is_not_made_anew() -> None:
    """What was confirmed in it is lost with it, and a person has to know."""
    refuse_to_make_again("stream", "events", set())
    with pytest.raises(ConfigurationError, match=r"^event_broker.stream: 'events' was used before"):
        refuse_to_make_again("stream", "events", {"events"})


def test_a_check_says_where_as_whom_and_how(files: Certificates, tmp_path: Path) -> None:
    """And whether the place is there."""
    assert describe(options(), "stream 'x'", is_there=True) == [
        "connected to localhost:4711 without a login, no TLS",
        "stream 'x' found",
    ]
    given = options(
        username="me", password="canary", tls=True, ssl_check_hostname=False,
        ssl_certfile=str(files.client_certificate), ssl_keyfile=str(tmp_path),
    )  # fmt: skip
    assert describe(given, "stream 'x'", is_there=False) == [
        "connected to localhost:4711 as me, TLS without hostname check, client certificate given",
        "stream 'x' is missing; it is made at the first connect",
    ]
