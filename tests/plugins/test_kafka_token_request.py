"""A token is asked for as RFC 6749 says, within a bounded time, and no answer shows a secret."""

from __future__ import annotations

import logging
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from event_brokers import BrokerUnavailable, ConfigurationError, Secret
from event_brokers_kafka import KafkaOptions, token_request
from event_brokers_kafka.token_request import fetch_token
from servers import TokenServer, free_port
from servers.certificates import Certificates
from servers.token_server import Answer, said

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def tokens(certificates: Certificates) -> Iterator[TokenServer]:
    """Hand out a token server."""
    with TokenServer(certificates) as server:
        yield server


@pytest.fixture(autouse=True)
def without_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this machine's proxy out."""
    for name in ("https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def options(tokens: TokenServer, certificates: Certificates, **given_options: Any) -> KafkaOptions:
    """Return options for this token server."""
    written = {
        "url": "localhost",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": tokens.url,
        "oauth_client_id": tokens.client_id,
        "oauth_client_secret": Secret(tokens.client_secret),
        "oauth_ssl_cafile": str(certificates.ca),
        **given_options,
    }
    return KafkaOptions(**written)


def refusal(given_options: KafkaOptions, kind: type[Exception] = ConfigurationError) -> str:
    """Return the sentence with which there is no token."""
    with pytest.raises(kind) as caught:
        fetch_token(given_options)
    assert type(caught.value) is kind
    return str(caught.value)


def test_the_client_is_known_whatever_its_id_and_secret_hold(
    tokens: TokenServer, certificates: Certificates
) -> None:
    """A colon, a plus, a percent sign and letters beyond ASCII are what they are."""
    assert ":" in tokens.client_id
    lease = fetch_token(options(tokens, certificates, oauth_scope="a b"))
    assert lease.value.reveal().count(".") == 2
    assert 590 < lease.seconds_left <= 600
    assert tokens.requests == [
        {"grant_type": "client_credentials", "scope": "a b", "client_id": tokens.client_id}
    ]
    assert lease.value.reveal() not in repr(lease)


WRONG: dict[str, tuple[Answer, str]] = {
    "client": (
        said(400, error="invalid_client"),
        (
            "oauth_client_secret: '{url}' refuses the client '{client}'; "
            "check oauth_client_id and oauth_client_secret"
        ),
    ),
    "client without a word": (
        (401, {}, b"<html>canary</html>"),
        (
            "oauth_client_secret: '{url}' refuses the client '{client}'; "
            "check oauth_client_id and oauth_client_secret"
        ),
    ),
    "grant": (
        said(400, error="unauthorized_client"),
        (
            "oauth_client_id: '{url}' gives the client '{client}' no token by client credentials; "
            "allow it there"
        ),
    ),
    "scope": (
        said(400, error="invalid_scope"),
        "oauth_scope: '{url}' does not take no scope; give one that it knows",
    ),
    "unknown word": (
        said(400, error="canary"),
        "oauth_token_url: '{url}' answers 400; give the token endpoint",
    ),
    "path": (
        (404, {}, b"canary"),
        "oauth_token_url: '{url}' answers 404; give the token endpoint",
    ),
    "no token": (
        said(200, token="canary"),
        "oauth_token_url: '{url}' answers without a token; give the token endpoint",
    ),
    "token that would forge a login": (
        said(200, access_token="canary\x01auth=other"),
        "oauth_token_url: '{url}' answers without a token; give the token endpoint",
    ),
    "page": (
        (200, {}, b"<html>canary</html>"),
        "oauth_token_url: '{url}' answers without a token; give the token endpoint",
    ),
    "more than is read": (
        (200, JSON, b" " * 300_000 + b'{"access_token": "canary"}'),
        "oauth_token_url: '{url}' answers without a token; give the token endpoint",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_person_must_change_is_said(
    tokens: TokenServer, certificates: Certificates, wrong: str
) -> None:
    """Each refusal names its option and the way out, and repeats nothing of the answer."""
    answer, sentence = WRONG[wrong]
    tokens.answer = lambda: answer
    assert refusal(options(tokens, certificates)) == "event_broker." + sentence.format(
        url=tokens.url, client=tokens.client_id
    )


def test_a_scope_that_is_not_known_is_named(
    tokens: TokenServer, certificates: Certificates
) -> None:
    """As it was given."""
    tokens.answer = lambda: said(400, error="invalid_scope")
    assert refusal(options(tokens, certificates, oauth_scope="evnts")) == (
        f"event_broker.oauth_scope: '{tokens.url}' does not take 'evnts'; give one that it knows"
    )


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_what_may_pass_by_itself_is_no_mistake(
    tokens: TokenServer, certificates: Certificates, status: int
) -> None:
    """A server that is busy or broken is asked again."""
    tokens.answer = lambda: (status, {}, b"canary")
    assert refusal(options(tokens, certificates), BrokerUnavailable) == (
        f"no token: localhost:{tokens.port} answers {status}"
    )


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_secret_goes_nowhere_else(
    tokens: TokenServer, certificates: Certificates, status: int
) -> None:
    """A redirection is told, not followed."""
    with TokenServer(certificates) as other:
        tokens.answer = lambda: (status, {"Location": other.url}, b"")
        assert refusal(options(tokens, certificates)) == (
            f"event_broker.oauth_token_url: '{tokens.url}' leads elsewhere; "
            "give the address it leads to"
        )
        assert other.requests == []


@pytest.mark.parametrize(
    ("said_seconds", "seconds"),
    [(3599, 3599), ("3599", 3599), (None, 60), (0, 1), (-5, 1), (1e18, 86_400), ("nan", 1)],
)
def test_how_long_a_token_is_good_is_taken_as_it_is_said(
    tokens: TokenServer, certificates: Certificates, said_seconds: Any, seconds: float
) -> None:
    """Also as text; where nothing is said, or nothing sensible, it is asked for again soon."""
    tokens.answer = lambda: said(200, access_token="a.b.c", expires_in=said_seconds)
    assert fetch_token(options(tokens, certificates)).seconds == seconds


@given(
    st.integers(100, 999),
    st.binary(max_size=60)
    | st.dictionaries(
        st.sampled_from(["access_token", "expires_in", "error"]),
        st.none() | st.text(max_size=5) | st.integers() | st.lists(st.booleans(), max_size=2),
    ).map(lambda body: said(200, **body)[2])
    | st.just(b"[" * 100_000),
)
def test_any_answer_is_a_token_or_a_sentence(status: int, body: bytes) -> None:
    """No server makes the thread that asks it end in any other way."""
    given_options = KafkaOptions(
        url="localhost",
        security_protocol="SASL_SSL",
        sasl_mechanism="OAUTHBEARER",
        oauth_token_url="https://tokens.example/token?a=b",
        oauth_client_id="client",
        oauth_client_secret=Secret("hunter2-hunter2"),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(token_request, "_ask", lambda _: (status, body))
        try:
            lease = fetch_token(given_options)
        except (ConfigurationError, BrokerUnavailable) as error:
            sentence = str(error)
        else:
            sentence = repr(lease)
            assert 1 <= lease.seconds <= 86_400
    assert "hunter2" not in sentence
    assert "?a=b" not in sentence


def test_tls_is_verified_with_the_file_that_is_given(
    tokens: TokenServer, certificates: Certificates
) -> None:
    """`oauth_ssl_cafile` before `ssl_cafile`, which serves where it stands alone."""
    ca, other = str(certificates.ca), str(certificates.other_ca)
    assert fetch_token(options(tokens, certificates, oauth_ssl_cafile=None, ssl_cafile=ca))
    assert fetch_token(options(tokens, certificates, oauth_ssl_cafile=ca, ssl_cafile=other))
    unknown = "event_broker.oauth_ssl_cafile: the certificate of 'localhost:{}' is signed by an "
    unknown += "authority that is not in {}; give the file of that authority"
    cases: list[tuple[dict[str, str | None], str]] = [
        ({"oauth_ssl_cafile": None, "ssl_cafile": other}, f"'{other}'"),
        ({"oauth_ssl_cafile": other, "ssl_cafile": ca}, f"'{other}'"),
        ({"oauth_ssl_cafile": None}, "the system's"),
    ]
    for files, trusted in cases:
        sentence = refusal(options(tokens, certificates, **files))
        assert sentence == unknown.format(tokens.port, trusted)
    assert len(tokens.requests) == 2


def test_the_name_of_the_token_server_is_always_checked(
    tokens: TokenServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`ssl_check_hostname` is about the brokers."""
    really_connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *rest, **more: really_connect(("localhost", address[1]), *rest, **more),
    )
    url = f"https://other.example:{tokens.port}/token"
    given_options = options(tokens, certificates, oauth_token_url=url, ssl_check_hostname=False)
    assert refusal(given_options) == (
        f"event_broker.oauth_token_url: the certificate of 'other.example:{tokens.port}' is not "
        "for 'other.example'; use a name it is for"
    )
    assert tokens.requests == []


def test_a_file_that_is_missing_is_named(tokens: TokenServer, certificates: Certificates) -> None:
    """By the option that it was given with."""
    given_options = options(tokens, certificates, oauth_ssl_cafile="/nowhere/ca.pem")
    assert refusal(given_options) == (
        "event_broker.oauth_ssl_cafile: '/nowhere/ca.pem' cannot be read: no such file or directory"
    )


def test_a_server_that_is_not_there_is_told_from_one_that_is_another(
    tokens: TokenServer, certificates: Certificates
) -> None:
    """The first may come back; the second is a mistake in the URL."""
    port = free_port()
    away = options(tokens, certificates, oauth_token_url=f"https://localhost:{port}/token")
    assert refusal(away, BrokerUnavailable) == f"no token: localhost:{port} refused the connection"
    unknown = options(tokens, certificates, oauth_token_url="https://tokens.invalid/token")
    assert refusal(unknown, BrokerUnavailable) == (
        "no token: no address found for host 'tokens.invalid'"
    )

    def greet(connection: socket.socket) -> None:
        connection.sendall(b"220 mail.example ESMTP\r\n")
        while connection.recv(65_536):
            pass

    with answering(greet) as port:
        tls = options(tokens, certificates, oauth_token_url=f"https://localhost:{port}/")
        assert refusal(tls) == (
            f"event_broker.oauth_token_url: 'localhost:{port}' does not speak TLS; "
            "give the port of its TLS listener, or take TLS out"
        )
        plain = options(
            tokens, certificates, oauth_token_url=f"http://localhost:{port}", oauth_ssl_cafile=None
        )
        assert refusal(plain) == (
            f"event_broker.oauth_token_url: 'localhost:{port}' does not speak HTTP; "
            "give the token endpoint"
        )


@pytest.mark.parametrize(
    "dripping",
    [b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"],
    ids=["headers", "body"],
)
def test_a_server_that_drips_is_not_waited_for(
    tokens: TokenServer,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    dripping: bytes,
) -> None:
    """The time is for the whole answer, not for each of its bytes."""
    monkeypatch.setattr(token_request, "REQUEST_SECONDS", 0.3)

    def drip(connection: socket.socket) -> None:
        pause = threading.Event()
        connection.sendall(dripping)
        for _ in range(6000):
            connection.sendall(b"x")
            pause.wait(0.01)

    with answering(drip) as port:
        given_options = options(
            tokens, certificates, oauth_token_url=f"http://localhost:{port}", oauth_ssl_cafile=None
        )
        sentence = refusal(given_options, BrokerUnavailable)
    assert sentence == f"no token: localhost:{port} does not answer"


def test_a_secret_that_can_be_read_on_its_way_is_warned_of(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it goes to another machine without TLS."""
    really_connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *rest, **more: really_connect(("localhost", address[1]), *rest, **more),
    )
    with TokenServer(certificates, with_tls=False) as tokens:
        plain: dict[str, str | None] = {"oauth_ssl_cafile": None}
        assert fetch_token(options(tokens, certificates, **plain))
        assert caplog.messages == []
        plain["oauth_token_url"] = f"http://tokens.example:{tokens.port}/token"
        with caplog.at_level(logging.WARNING, "event_brokers"):
            fetch_token(options(tokens, certificates, **plain))
    assert caplog.messages == [
        (
            "kafka: the client secret can be read on its way to "
            f"'tokens.example:{tokens.port}', for there is no TLS; write https:// in "
            "oauth_token_url, and require_tls: true, so that it is never sent without"
        )
    ]


def test_a_proxy_is_gone_through_where_the_environment_names_one(
    tokens: TokenServer, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its login, which goes to the proxy; the token server's TLS goes through it."""
    asked: list[bytes] = []

    def tunnel(connection: socket.socket) -> None:
        asked.append(read_head(connection))
        with socket.create_connection(("localhost", tokens.port)) as there:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=copy, args=(there, connection))
            back.start()
            copy(connection, there)
            back.join()

    with answering(tunnel) as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://me:p%40ss@localhost:{port}")
        assert fetch_token(options(tokens, certificates)).value.reveal()
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert fetch_token(options(tokens, certificates)).value.reveal()
    (head,) = asked
    assert head.startswith(f"CONNECT localhost:{tokens.port} HTTP/1.".encode())
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in head
    assert len(tokens.requests) == 2


def read_head(connection: socket.socket) -> bytes:
    """Return the head of a request."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return head


def copy(source: socket.socket, target: socket.socket) -> None:
    """Copy bytes until there are no more, and say so to the other side."""
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen on a port, and let a function answer each connection."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                answer(self.request)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
