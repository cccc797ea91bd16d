"""TLS as every plugin has it: each way in which it fails, against real servers, in words."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from event_brokers import ConfigurationError, Secret
from event_brokers.endpoints import read_options
from event_brokers.options import describe
from event_brokers.plugin import network, tls
from event_brokers.plugin.network import Address
from event_brokers.plugin.tls import TlsOptions, client_context, handshake_problem
from event_brokers.section import from_mapping
from servers.certificates import Certificates, chain, pkcs8

NOW = datetime.now(timezone.utc)
DAY = timedelta(days=1)


class SomeOptions(TlsOptions, frozen=True, kw_only=True):
    """The options of a plugin that gained those of TLS."""

    url: str = "localhost"

    def __post_init__(self) -> None:
        self.refuse_key_without_certificate()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates and keys in files."""
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Return an authority for certificates that are wrong in one way each."""
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the file of the authority."""
    file = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(file)
    return str(file)


def server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the context of a server that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@contextmanager
def listening(serve: Callable[[socket.socket], None]) -> Iterator[Address]:
    """Serve every connection on a port of 127.0.0.1."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = Address(*server.getsockname())
        ending = threading.Event()

        def accept() -> None:
            while True:
                connection, _ = server.accept()
                with connection:
                    if ending.is_set():
                        return
                    connection.settimeout(10)
                    serve(connection)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield address
        finally:
            ending.set()
            socket.create_connection((address.host, address.port)).close()
            thread.join(20)


@contextmanager
def a_tls_server(context: ssl.SSLContext) -> Iterator[Address]:
    """Shake hands with whoever comes, and say one byte."""

    def serve(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.sendall(b"!")
        except OSError:
            pass  # the client says what it saw, and that is what is tested

    with listening(serve) as address:
        yield address


def problem(address: Address, options: TlsOptions, host: str = "localhost") -> str | None:
    """Return what is said when a client with these options shakes hands and reads a byte.

    One that writes first would find the connection reset, and lose the reason with it.
    """
    context = client_context(options)
    with socket.create_connection((address.host, address.port), 10) as connection:
        try:
            with context.wrap_socket(connection, server_hostname=host) as encrypted:
                assert encrypted.recv(1) == b"!"
        except OSError as error:
            return handshake_problem(error, str(address), options)
    return None


def test_a_good_certificate_is_no_problem(files: Certificates) -> None:
    """With the authority's file and the host's name, TLS 1.2 at the least."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.server_certificate, files.server_key)
    with a_tls_server(context) as address:
        options = SomeOptions(ssl_cafile=str(files.ca))
        assert problem(address, options) is None
        assert problem(address, options, "127.0.0.1") is None
    found = client_context(options)
    assert found.check_hostname
    assert found.verify_mode is ssl.CERT_REQUIRED
    assert found.minimum_version is ssl.TLSVersion.TLSv1_2


VALIDITY: dict[str, Any] = {
    "has expired; renew it there": {"not_before": NOW - 3 * DAY, "not_after": NOW - DAY},
    "is not valid yet; compare the clocks of both machines, or renew it there": {
        "not_before": NOW + DAY,
        "not_after": NOW + 3 * DAY,
    },
}


@pytest.mark.parametrize("words", VALIDITY)
def test_a_certificate_out_of_its_time(authority: trustme.CA, trusted: str, words: str) -> None:
    """Expired and not yet valid are told apart: one is renewed, the other may be a wrong clock."""
    certificate = authority.issue_cert("localhost", **VALIDITY[words])
    with a_tls_server(server_context(certificate)) as address:
        assert problem(address, SomeOptions(ssl_cafile=trusted)) == (
            f"event_broker.ssl_cafile: the certificate of '{address}' {words}"
        )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_host(authority: trustme.CA, trusted: str, host: str) -> None:
    """It names the host that was asked for; without the check of the name the rest holds."""
    certificate = authority.issue_cert("other.example")
    with a_tls_server(server_context(certificate)) as address:
        assert problem(address, SomeOptions(ssl_cafile=trusted), host) == (
            f"event_broker.ssl_check_hostname: the certificate of '{address}' is not for "
            f"'{host}'; use a name it is for"
        )
        unchecked = SomeOptions(ssl_cafile=trusted, ssl_check_hostname=False)
        assert problem(address, unchecked, host) is None
        stranger = SomeOptions(ssl_check_hostname=False)
        assert "signed by an authority" in str(problem(address, stranger, host))


def test_an_authority_that_is_not_known(authority: trustme.CA, files: Certificates) -> None:
    """The sentence says in which file it is not, or that it is not among the system's."""
    with a_tls_server(server_context(authority.issue_cert("localhost"))) as address:
        signed = f"event_broker.ssl_cafile: the certificate of '{address}' is signed by an"
        assert problem(address, SomeOptions(ssl_cafile=str(files.ca))) == (
            f"{signed} authority that is not in '{files.ca}'; give the file of that authority"
        )
        assert problem(address, SomeOptions()) == (
            f"{signed} authority that is not in the system's; give the file of that authority"
        )


def test_a_certificate_that_signed_itself(files: Certificates, tmp_path: Path) -> None:
    """The way out is its own file, and that is one."""
    pem = write_self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with a_tls_server(context) as address:
        assert problem(address, SomeOptions(ssl_cafile=str(files.ca))) == (
            f"event_broker.ssl_cafile: the certificate of '{address}' is signed by itself and is "
            f"not in '{files.ca}'; give its own file"
        )
        assert problem(address, SomeOptions(ssl_cafile=str(pem))) is None


def write_self_signed(
    folder: Path, usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH
) -> Path:
    """Return the file of a certificate for localhost that signed itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "self_signed.pem"
    pem.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem


def test_a_certificate_that_is_wrong_in_another_way(tmp_path: Path) -> None:
    """OpenSSL's own words follow where there are none of ours: here one that is for clients."""
    pem = write_self_signed(tmp_path, ExtendedKeyUsageOID.CLIENT_AUTH)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with a_tls_server(context) as address:
        sentence = str(problem(address, SomeOptions(ssl_cafile=str(pem))))
    assert sentence.startswith(
        f"event_broker.ssl_cafile: the certificate of '{address}' is not valid: "
    )
    assert "certificate purpose; renew it there" in sentence


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_wants_a_client_certificate(
    files: Certificates, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    """Missing and refused are told apart, also where TLS says so only behind the handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(files.server_certificate, files.server_key)
    context.load_verify_locations(files.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    stranger = trustme.CA().issue_cert("client@localhost")
    other = tmp_path / "other.pem"
    other.write_bytes(pkcs8(stranger) + chain(stranger))
    with a_tls_server(context) as address:
        options = SomeOptions(ssl_cafile=str(files.ca))
        assert str(problem(address, options)).startswith(
            f"event_broker.ssl_certfile: missing; '{address}' asks for a client certificate"
        )
        options = SomeOptions(ssl_cafile=str(files.ca), ssl_certfile=str(other))
        assert problem(address, options) == (
            f"event_broker.ssl_certfile: '{address}' refuses the client certificate in '{other}': "
            "unknown ca; have it signed by an authority that the server trusts"
        )
        options = SomeOptions(
            ssl_cafile=str(files.ca),
            ssl_certfile=str(files.client_certificate),
            ssl_keyfile=str(files.encrypted_client_key),
            ssl_password=Secret(files.client_key_password),
        )
        assert problem(address, options) is None


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_a_server_whose_tls_is_too_old(files: Certificates, version: ssl.TLSVersion) -> None:
    """It is named as such, and is spoken to by no older TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(files.server_certificate, files.server_key)
    with a_tls_server(context) as address:
        assert problem(address, SomeOptions(ssl_cafile=str(files.ca))) == (
            f"event_broker.port: '{address}' offers no TLS 1.2 or later; enable it there"
        )


def test_a_server_that_answers_with_an_older_version_is_too_old_as_well() -> None:
    """Some do so, where others send an alert: Erlang's TLS, and so RabbitMQ's, for one."""
    # a ServerHello of TLS 1.1: RFC 4346, 7.4.1.3
    hello = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x2f" + b"\x00"
    message = b"\x02" + len(hello).to_bytes(3, "big") + hello
    record = b"\x16\x03\x02" + len(message).to_bytes(2, "big") + message
    with listening(lambda connection: answer(connection, record)) as address:
        assert problem(address, SomeOptions()) == (
            f"event_broker.port: '{address}' offers no TLS 1.2 or later; enable it there"
        )


def test_a_server_that_shares_no_cipher(files: Certificates) -> None:
    """TLS 1.2 has one alert for that and for a missing certificate: both are named."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("PSK-AES128-GCM-SHA256")
    context.load_cert_chain(files.server_certificate, files.server_key)
    with a_tls_server(context) as address:
        options = SomeOptions(ssl_cafile=str(files.ca))
        assert problem(address, options) == (
            f"event_broker.ssl_certfile: missing; '{address}' asks for a client certificate, "
            "or shares no cipher with us"
        )
        options = SomeOptions(
            ssl_cafile=str(files.ca), ssl_certfile=str(files.server_key_and_certificate)
        )
        assert problem(address, options) == (
            f"event_broker.ssl_certfile: '{address}' refuses the client certificate in "
            f"'{files.server_key_and_certificate}', or shares no cipher with us"
        )


def answer(connection: socket.socket, data: bytes) -> None:
    """Read what a client says first, and answer it."""
    connection.recv(65536)
    connection.sendall(data)
    with suppress(ConnectionError):  # the client is gone
        connection.recv(65536)


def hang_up(connection: socket.socket) -> None:
    """Read what a client says first, and close the connection."""
    connection.recv(65536)


class OtherOptions(SomeOptions, frozen=True, kw_only=True):
    """Of a type whose port is a part of its URL."""

    port_option = "url"


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"AMQP\x00\x00\x09\x01"])
def test_a_server_that_does_not_speak_tls(greeting: bytes) -> None:
    """The option is the one that holds the port."""
    with listening(lambda connection: answer(connection, greeting)) as address:
        not_tls = (
            f"'{address}' does not speak TLS; give the port of its TLS listener, or take TLS out"
        )
        assert problem(address, SomeOptions()) == f"event_broker.port: {not_tls}"
        assert problem(address, OtherOptions()) == f"event_broker.url: {not_tls}"


def test_what_may_pass_by_itself_is_no_mistake_of_a_person() -> None:
    """A connection that is closed or broken amid TLS is tried again like any other."""
    options = SomeOptions()
    with listening(hang_up) as address:
        assert problem(address, options) is None
    for error in (ssl.SSLEOFError(8, "EOF"), ssl.SSLError(1, "bad record mac"), OSError("no")):
        assert handshake_problem(error, "h:1", options) is None
    lost = network.connection_problem(ssl.SSLEOFError(8, "EOF"), Address("h", 1))
    assert lost == "h:1 closed the connection"


def test_a_problem_is_found_inside_the_errors_of_a_client(
    authority: trustme.CA, trusted: str
) -> None:
    """Whatever a client library packs it into."""
    certificate = authority.issue_cert("localhost", **VALIDITY["has expired; renew it there"])
    options = SomeOptions(ssl_cafile=trusted)
    with (
        a_tls_server(server_context(certificate)) as address,
        socket.create_connection((address.host, address.port), 10) as connection,
        pytest.raises(ssl.SSLError) as caught,
    ):
        client_context(options).wrap_socket(connection, server_hostname="localhost")
    packed = RuntimeError("cannot connect", caught.value)
    assert "has expired" in str(handshake_problem(packed, str(address), options))


WRONG_FILES: dict[str, tuple[dict[str, str], str]] = {
    "missing authority": (
        {"ssl_cafile": "/nowhere/x.pem"},
        "ssl_cafile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "missing certificate": (
        {"ssl_certfile": "/nowhere/x.pem", "ssl_keyfile": "{client_key}"},
        "ssl_certfile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "missing key": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "/nowhere/x.pem"},
        "ssl_keyfile: '/nowhere/x.pem' cannot be read: no such file or directory",
    ),
    "no path": ({"ssl_cafile": "a\0b"}, "ssl_cafile: is not the path of a file"),
    "folder": ({"ssl_cafile": "/"}, "ssl_cafile: '/' cannot be read: is a directory"),
    "no authority": (
        {"ssl_cafile": "{client_key}"},
        "ssl_cafile: '{client_key}' holds no certificate in PEM form",
    ),
    "no certificate": (
        {"ssl_certfile": "{client_key}"},
        "ssl_certfile: no certificate in '{client_key}' with a key in '{client_key}', in PEM form",
    ),
    "key of another certificate": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "{server_key}"},
        "ssl_keyfile: '{server_key}' is not the key of the certificate in '{client_certificate}'",
    ),
    "missing password": (
        {"ssl_certfile": "{client_certificate}", "ssl_keyfile": "{encrypted_client_key}"},
        "ssl_password: missing; the key in '{encrypted_client_key}' is encrypted",
    ),
    "wrong password": (
        {
            "ssl_certfile": "{client_certificate}",
            "ssl_keyfile": "{encrypted_client_key}",
            "ssl_password": "hunter2",
        },
        "ssl_password: does not open the key in '{encrypted_client_key}'",
    ),
    "password that is too long": (
        {
            "ssl_certfile": "{client_certificate}",
            "ssl_keyfile": "{encrypted_client_key}",
            "ssl_password": "hunter2" * 1000,
        },
        "ssl_password: does not open the key in '{encrypted_client_key}'",
    ),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_file_that_cannot_be_used_is_named(files: Certificates, wrong: str) -> None:
    """Before anything connects, and without a question on the terminal."""
    templates, sentence = WRONG_FILES[wrong]
    given = {name: text.format(**vars(files)) for name, text in templates.items()}
    with pytest.raises(ConfigurationError) as caught:
        client_context(read(**given))
    assert str(caught.value) == "event_broker." + sentence.format(**vars(files))
    assert "hunter2" not in repr(caught.value)


def read(**given: Any) -> SomeOptions:
    """Return the options as the core makes them of a section."""
    return read_options(from_mapping(given), SomeOptions)


@pytest.mark.parametrize("how", ["encrypted", "in one file"])
def test_a_client_certificate_in_each_form_is_taken(files: Certificates, how: str) -> None:
    """An encrypted key with its password, and a key beside its certificate."""
    options = {
        "encrypted": SomeOptions(
            ssl_certfile=str(files.client_certificate),
            ssl_keyfile=str(files.encrypted_client_key),
            ssl_password=Secret(files.client_key_password),
        ),
        "in one file": SomeOptions(ssl_certfile=str(files.server_key_and_certificate)),
    }
    assert client_context(options[how]).verify_mode is ssl.CERT_REQUIRED


def test_a_plugins_own_options_are_listed_before_those_of_tls() -> None:
    """What a table shows first is what everybody needs."""
    names = [option.name for option in describe(SomeOptions)]
    assert names == [
        "url", "ssl_cafile", "ssl_certfile", "ssl_keyfile", "ssl_password", "ssl_check_hostname",
        "require_tls",
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["ssl_keyfile", "ssl_password"])
def test_a_key_without_its_certificate_is_refused(option: str) -> None:
    """Half a client certificate is a mistake."""
    with pytest.raises(ConfigurationError) as caught:
        read(**{option: "hunter2"})
    assert str(caught.value) == (
        f"event_broker.{option}: has no effect without ssl_certfile; give both"
    )


def test_require_tls_refuses_plain_text() -> None:
    """To this machine as well: whoever asks for it, gets it."""
    tls.refuse_plain_text(SomeOptions(), "localhost:1", "write amqps://")
    with pytest.raises(ConfigurationError) as caught:
        tls.refuse_plain_text(SomeOptions(require_tls=True), "localhost:1", "write amqps://")
    assert str(caught.value) == (
        "event_broker.require_tls: the connection to 'localhost:1' would have no TLS; "
        "write amqps://"
    )


def test_a_password_in_plain_text_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """Not at every reconnect, and never of one that stays on this machine."""
    address = Address("broker.example", 4711)
    with caplog.at_level(logging.WARNING, "event_brokers"):
        for _ in range(3):
            tls.warn_of_plain_password("pika", address, "write amqps://")
            tls.warn_of_plain_password("pika", Address("::1", 1), "write amqps://")
    assert caplog.messages == [
        (
            "pika: the password can be read on its way to 'broker.example:4711', for there is no "
            "TLS; write amqps://, and require_tls: true, so that it is never sent without"
        )
    ]
