"""The pika plugin over TLS, with a real RabbitMQ, and in words where it fails."""

from __future__ import annotations

import gc
import logging
import select
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import trustme

from event_brokers import ConfigurationError, Secret, SecretUrl
from event_brokers.plugin.network import Address
from event_brokers_pika import PikaOptions
from event_brokers_pika.hooks import check
from event_brokers_pika.parameters import make_parameters
from event_brokers_pika.probe import speaks_tls
from event_brokers_pika.server import CERTIFICATE_VARIABLE, KEY_VARIABLE
from pika_plugin import (
    an_event,
    bodies,
    connect,
    connected,
    plain,
    refusals,
    secure,
    stored,
    what_is_wrong,
)  # fmt: skip
from servers import RabbitMQ, free_port
from servers.certificates import chain, pkcs8

pytestmark = pytest.mark.xdist_group("rabbitmq")


@pytest.fixture
def name() -> str:
    """Return the name of a queue that nobody else uses."""
    return f"queue-{uuid4()}"


def test_tls_delivers(rabbitmq: RabbitMQ, name: str) -> None:
    """The certificate is checked against the authority's file, and the host's name with it."""
    events = [an_event(number) for number in range(20)]
    with connected(secure(rabbitmq, name)) as opened:
        opened.publish(events)
    assert bodies(stored(rabbitmq, name, 20)) == [event.body for event in events]


@pytest.mark.parametrize("source", ["options", "environment"])
def test_a_client_certificate_reaches_rabbitmq(
    rabbitmq: RabbitMQ, name: str, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named by options, or by the environment variables that Rasa knows."""
    files = (str(rabbitmq.certificates.client_certificate), str(rabbitmq.certificates.client_key))
    given: dict[str, Any] = {}
    if source == "options":
        given = dict(zip(("ssl_certfile", "ssl_keyfile"), files, strict=True))
    else:
        monkeypatch.setenv(CERTIFICATE_VARIABLE, files[0])
        monkeypatch.setenv(KEY_VARIABLE, files[1])
    with connected(secure(rabbitmq, name, **given)) as opened:
        opened.publish([an_event()])
        assert "CN=client" in rabbitmq.control("list_connections", "peer_cert_subject")


def test_rasas_variables_turn_tls_on_for_a_bare_host(
    rabbitmq: RabbitMQ, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Rasa; and a listener without TLS is never used instead."""
    files = rabbitmq.certificates
    monkeypatch.setenv(CERTIFICATE_VARIABLE, str(files.client_certificate))
    monkeypatch.setenv(KEY_VARIABLE, str(files.client_key))
    options = plain(rabbitmq, name)
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == (
        f"event_broker.port: '127.0.0.1:{rabbitmq.port}' does not speak TLS; "
        "give the port of its TLS listener, or take TLS out"
    )
    with connected(plain(rabbitmq, name, port=rabbitmq.tls_port, ssl_cafile=str(files.ca))):
        assert "CN=client" in rabbitmq.control("list_connections", "peer_cert_subject")


WRONG_TLS: dict[str, tuple[Callable[[RabbitMQ], dict[str, Any]], str]] = {
    "unknown authority": (
        lambda server: {"ssl_cafile": str(server.certificates.other_ca)},
        (
            "event_broker.ssl_cafile: the certificate of 'localhost:{tls_port}' is signed by an "
            "authority that is not in '{other_ca}'; give the file of that authority"
        ),
    ),
    "authority unknown to the system": (
        lambda _: {"ssl_cafile": None},
        (
            "event_broker.ssl_cafile: the certificate of 'localhost:{tls_port}' is signed by an "
            "authority that is not in the system's; give the file of that authority"
        ),
    ),
    "unknown authority, without the host's name": (
        lambda server: {
            "ssl_cafile": str(server.certificates.other_ca),
            "ssl_check_hostname": False,
        },
        (
            "event_broker.ssl_cafile: the certificate of 'localhost:{tls_port}' is signed by an "
            "authority that is not in '{other_ca}'; give the file of that authority"
        ),
    ),
    "TLS on a plain listener": (
        lambda server: {"url": SecretUrl(f"amqps://localhost:{server.port}")},
        (
            "event_broker.port: 'localhost:{port}' does not speak TLS; "
            "give the port of its TLS listener, or take TLS out"
        ),
    ),
    "plain text on a TLS listener": (
        lambda server: {
            "url": SecretUrl(f"amqp://localhost:{server.tls_port}"),
            "ssl_cafile": None,
        },
        "event_broker.url: 'localhost:{tls_port}' speaks TLS; write amqps://",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_TLS)
def test_what_is_wrong_with_tls_is_said_within_seconds(
    rabbitmq: RabbitMQ, name: str, wrong: str
) -> None:
    """Each mistake has its own sentence, in `connect` as in `check`."""
    change, sentence = WRONG_TLS[wrong]
    options = secure(rabbitmq, name, **{"url": local(rabbitmq), **change(rabbitmq)})
    wanted = sentence.format(
        port=rabbitmq.port, tls_port=rabbitmq.tls_port, other_ca=rabbitmq.certificates.other_ca
    )
    assert refusals(options) == {wanted}


def local(server: RabbitMQ, host: str = "localhost") -> SecretUrl:
    """Return the address of the TLS listener by another name of this machine."""
    return SecretUrl(f"amqps://{server.username}:{server.password}@{host}:{server.tls_port}")


def test_a_certificate_for_another_host_is_refused_unless_told_otherwise(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """The host's name is checked by default; the certificate does not name 0.0.0.0."""
    options = secure(rabbitmq, name, url=local(rabbitmq, "0.0.0.0"))
    assert what_is_wrong(lambda: check(options), ConfigurationError) == (
        f"event_broker.ssl_check_hostname: the certificate of '0.0.0.0:{rabbitmq.tls_port}' is "
        "not for '0.0.0.0'; use a name it is for"
    )
    unchecked = secure(rabbitmq, name, url=local(rabbitmq, "0.0.0.0"), ssl_check_hostname=False)
    assert check(unchecked)[0].endswith(", TLS without hostname check")
    with connected(unchecked) as opened:
        opened.publish([an_event()])


def test_a_client_certificate_of_a_strange_authority_is_refused_in_words(
    rabbitmq: RabbitMQ, name: str, tmp_path: Path
) -> None:
    """With TLS 1.3 RabbitMQ says so only after the handshake."""
    stranger = trustme.CA().issue_cert("client@localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(chain(stranger))
    key.write_bytes(pkcs8(stranger))
    options = secure(rabbitmq, name, ssl_certfile=str(certificate), ssl_keyfile=str(key))
    wanted = (
        f"event_broker.ssl_certfile: '127.0.0.1:{rabbitmq.tls_port}' refuses the client "
        f"certificate in '{certificate}': unknown ca; have it signed by an authority that the "
        "server trusts"
    )
    assert refusals(options) == {wanted}


def test_the_key_of_a_client_certificate_may_have_a_password(rabbitmq: RabbitMQ, name: str) -> None:
    """It is given as an option, and one that is wrong is said before anything connects."""
    files = rabbitmq.certificates
    given: dict[str, Any] = {
        "ssl_certfile": str(files.client_certificate),
        "ssl_keyfile": str(files.encrypted_client_key),
    }
    options = secure(rabbitmq, name, **given, ssl_password=Secret(files.client_key_password))
    with connected(options):
        assert "CN=client" in rabbitmq.control("list_connections", "peer_cert_subject")
    options = secure(rabbitmq, name, **given, ssl_password=Secret("canary"))
    assert refusals(options) == {
        f"event_broker.ssl_password: does not open the key in '{files.encrypted_client_key}'"
    }


@pytest.fixture
def old_tls_port(rabbitmq: RabbitMQ) -> Iterator[int]:
    """Let RabbitMQ listen on a port where it offers TLS 1.1 and nothing later."""
    port, files = free_port(), rabbitmq.certificates
    options = (
        f'[{{certfile,"{files.server_certificate}"}},{{keyfile,"{files.server_key}"}},'
        "{versions,['tlsv1.1']}]"
    )
    rabbitmq.control("eval", f"rabbit_networking:start_ssl_listener({port}, {options}, 1).")
    yield port
    rabbitmq.control("eval", f"rabbit_networking:stop_tcp_listener({port}).")


def test_a_server_with_an_old_tls_is_told_what_to_enable(
    rabbitmq: RabbitMQ, name: str, old_tls_port: int
) -> None:
    """No connection falls back to what is not safe any more."""
    options = secure(rabbitmq, name, url=SecretUrl(f"amqps://localhost:{old_tls_port}"))
    assert refusals(options) == {
        f"event_broker.port: 'localhost:{old_tls_port}' offers no TLS 1.2 or later; enable it there"
    }


@contextmanager
def listening() -> Iterator[socket.socket]:
    """Hand out a socket on which nobody is answered."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_with_require_tls_nothing_is_sent_without(rabbitmq: RabbitMQ, name: str) -> None:
    """Whoever asks for it never shows a password to the network, in whatever way he connects."""
    with listening() as server:
        port = server.getsockname()[1]
        options = plain(rabbitmq, name, port=port, require_tls=True)
        [sentence] = refusals(options)
        assert sentence == (
            f"event_broker.require_tls: the connection to '127.0.0.1:{port}' would have no TLS; "
            "write amqps://"
        )
        with pytest.raises(BlockingIOError):
            server.accept()
    with connected(secure(rabbitmq, name, require_tls=True)) as opened:
        opened.publish([an_event()])


def test_a_password_that_can_be_read_on_its_way_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Once for a host that is not this machine; not for this machine, and not with TLS."""
    caplog.set_level(logging.WARNING)
    for url in ("amqp://rabbit.example", "rabbit.example", "amqps://rabbit.example", "[::1]:7"):
        make_parameters(PikaOptions(url=SecretUrl(url)))
    [warning] = caplog.messages
    assert warning == (
        "pika: the password can be read on its way to 'rabbit.example:5672', for there is no TLS; "
        "write amqps://, and require_tls: true, so that it is never sent without"
    )


def test_asking_a_server_that_resets_whether_it_speaks_tls_leaves_no_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reset has come when the connection is made ready for TLS, if there is one by then."""
    left_open: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", left_open.append)
    wrap = ssl.SSLContext.wrap_socket

    def wrap_late(context: ssl.SSLContext, plain: socket.socket, **given: Any) -> ssl.SSLSocket:
        with suppress(OSError):
            plain.getpeername()
            select.select([plain], [], [], 20)
        return wrap(context, plain, **given)

    def reset(server: socket.socket) -> None:
        connection, _ = server.accept()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    monkeypatch.setattr(ssl.SSLContext, "wrap_socket", wrap_late)
    with socket.create_server(("127.0.0.1", 0)) as server:
        resetting = threading.Thread(target=reset, args=[server])
        resetting.start()
        assert not speaks_tls(Address(*server.getsockname()))
        resetting.join(20)
        assert not resetting.is_alive()
    gc.collect()
    assert not left_open
