"""`type: http` against a server of sockets that answers as no decent server does."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import event_brokers
import rasas_loader
from command import Commands
from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    EventBroker,
    PartlyPublished,
    RejectedEvents,
    endpoints,
)
from event_brokers_http import HTTPOptions, HTTPProducer, connection, failures
from event_brokers_http.connection import Connection
from event_brokers_http.inspection import inspect
from http_endpoint import Answer, Arrival, HttpEndpoint, drip, raw, reset, silence, status
from servers.certificates import Certificates
from servers.ports import free_port
from waiting import wait_until


@pytest.fixture
def server() -> Iterator[HttpEndpoint]:
    """Return a server that takes everything until it is told otherwise."""
    with HttpEndpoint() as endpoint:
        yield endpoint


def options_of(server: HttpEndpoint, **more: Any) -> HTTPOptions:
    """Return options that lead to a server."""
    section = {"type": "http", "url": server.url, "timeout": 5, **more}
    options = endpoints.read(section).options
    assert isinstance(options, HTTPOptions)
    return options


@contextmanager
def connected(server: HttpEndpoint, **more: Any) -> Iterator[Connection]:
    """Hand out a connection of the plugin."""
    with closing(Connection(options_of(server, **more))) as connection:
        yield connection


def events(count: int, **more: Any) -> list[Event]:
    """Return numbered events."""
    return [Event.from_dict({"n": number, **more}, f"e{number}") for number in range(count)]


def numbers(server: HttpEndpoint) -> list[int]:
    """Return the numbers of the events that have arrived, whatever was answered."""
    return [json.loads(arrival.body)["n"] for arrival in server.arrived]


def raised_by(connection: Connection, batch: Sequence[Event]) -> Exception:
    """Return what `publish` raises."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the tests look at it
        connection.publish(batch)
    return caught.value


@pytest.mark.parametrize("code", [200, 201, 202, 204, 207])
def test_every_success_confirms(server: HttpEndpoint, code: int) -> None:
    """2xx; the body of the answer is passed over, and the connection kept."""
    server.answer = status(code, body=b"" if code == 204 else b"thank you" * 100)
    with connected(server) as connection:
        connection.publish(events(20))
    assert numbers(server) == list(range(20))
    assert server.connections == 1


@pytest.mark.parametrize("code", [408, 425, 429, 500, 501, 502, 503, 504, 599])
def test_what_may_pass_is_tried_again(server: HttpEndpoint, code: int) -> None:
    """408, 425, 429 and 5xx: those before it are confirmed, the others come again in order."""
    server.answers.extend([status(204), status(204), status(code)])
    with connected(server) as connection:
        raised = raised_by(connection, events(5))
    assert type(raised) is BrokerUnavailable
    assert raised.confirmed == {"e0", "e1"}
    assert str(code) in str(raised)
    with event_brokers.connect({"type": "http", "url": server.url}) as broker:
        server.answers.append(status(code))
        broker.publish({"n": 7})
        assert broker.flush(20).delivered == 1
    assert numbers(server) == [0, 1, 2, 7, 7]


@pytest.mark.parametrize(
    ("code", "option", "words"),
    [
        (401, "token", "refuses the token: 401 Unauthorized; check it"),
        (403, "token", "forbids it: 403 Forbidden; allow it there"),
        (404, "url", "has no such address: 404 Not Found; check the url"),
        (405, "method", "takes no POST: 405 Method Not Allowed; give method as the server"),
        (407, "url", "wants a login: 407 Proxy Authentication Required"),
        (410, "url", "has no such address: 410 Gone; check the url"),
        (415, "format", "does not take this form: 415 Unsupported Media Type; change format"),
        (426, "url", "wants another protocol: 426 Upgrade Required"),
        (301, "url", "leads elsewhere: 301 Moved Permanently; no redirection is followed"),
        (304, "url", "leads elsewhere: 304 Not Modified"),
        (101, "url", "answers 101 Switching Protocols, which is no answer to a request"),
    ],
)
def test_what_a_person_must_change_halts(
    server: HttpEndpoint, code: int, option: str, words: str
) -> None:
    """The address, the login, the form: no event is to blame, none is buried."""
    server.answer = status(code, Location="/other")
    with connected(server, token="canary") as connection:
        server.answers.append(status(204))
        raised = raised_by(connection, events(3))
    assert isinstance(raised, ConfigurationError)
    assert raised.confirmed == {"e0"}
    assert str(raised).startswith(f"event_broker.{option}: ")
    assert words in str(raised)
    assert "canary" not in str(raised)


@pytest.mark.parametrize("code", [400, 402, 406, 409, 411, 413, 414, 418, 422, 431, 451, 499])
def test_what_is_said_of_an_event_buries_it_alone(server: HttpEndpoint, code: int) -> None:
    """Every other 4xx, with the status as the reason; the others go on over the same connection."""
    server.answers.extend([status(204), status(code, body=b"canary")])
    with connected(server) as connection:
        raised = raised_by(connection, events(4))
    assert isinstance(raised, RejectedEvents)
    assert raised.confirmed == {"e0", "e2", "e3"}
    (reason,) = raised.reasons.items()
    assert reason[0] == "e1"
    assert reason[1].startswith(f"127.0.0.1:{server.port} answers {code}")
    assert "canary" not in reason[1]
    assert numbers(server) == [0, 1, 2, 3]
    assert server.connections == 1


def test_no_redirection_is_followed(server: HttpEndpoint) -> None:
    """Not to another server, which would be given the token, nor to another path."""
    with HttpEndpoint() as other:
        for code in (301, 302, 303, 307, 308):
            server.answers.append(status(code, Location=other.url))
            with connected(server, token="secret") as connection:
                assert isinstance(raised_by(connection, events(1)), ConfigurationError)
        assert other.connections == 0


@given(
    st.integers(1, 40), st.sets(st.integers(0, 39)), st.integers(1, 12),
    st.sampled_from(["array", "lines", "none"]),
)  # fmt: skip
def test_exactly_the_culprits_of_a_batch_become_dead_letters(
    count: int, bad: set[int], most: int, batch: str
) -> None:
    """Whatever the size of the batches; the rest arrives once each, in order."""
    taken: list[int] = []
    refused = bad & set(range(count))

    def answer(client: socket.socket, arrival: Arrival) -> bool:
        assert arrival.headers["idempotency-key"]
        text = arrival.body.decode()
        lines = json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines())
        found = [each["n"] for each in lines]
        assert len(found) <= (1 if batch == "none" else most)
        if refused & set(found):
            return status(422)(client, arrival)
        taken.extend(found)
        return status(204)(client, arrival)

    with HttpEndpoint() as server:
        server.answer = answer
        section: dict[str, Any] = {"type": "http", "url": server.url, "batch": batch}
        if batch != "none":
            section["max_batch"] = most
        with event_brokers.connect(section) as broker:
            ids = broker.publish_many([{"n": number} for number in range(count)])
            status_ = broker.flush(30)
            letters = broker.dead_letters()
    assert (status_.pending, status_.dead_letters) == (0, len(refused))
    assert [ids.index(letter.event.id) for letter in letters] == sorted(refused)
    assert taken == [number for number in range(count) if number not in refused]


def test_a_batch_that_is_too_large_is_sent_in_parts(server: HttpEndpoint) -> None:
    """413 to a whole batch says nothing of any event in it."""

    def answer(client: socket.socket, arrival: Arrival) -> bool:
        return status(413 if len(arrival.body) > 300 else 204)(client, arrival)

    server.answer = answer
    with connected(server, batch="array") as connection:
        connection.publish(events(10, text="x" * 100))


def test_retry_after_is_what_the_core_is_told(server: HttpEndpoint) -> None:
    """In seconds and as a date; also when the server is asked whether it is there."""
    date = format_datetime(datetime.now(timezone.utc) + timedelta(seconds=90), usegmt=True)
    server.answers.extend([status(429, Retry_After="17"), status(503, Retry_After=date)])
    for least, most in ((17, 17), (80, 90)):
        with connected(server) as connection:
            raised = raised_by(connection, events(1))
        assert isinstance(raised, BrokerUnavailable)
        assert raised.retry_after is not None
        assert least <= raised.retry_after <= most
    server.to_probes = status(503, Retry_After="12")
    with pytest.raises(BrokerUnavailable) as caught:
        Connection(options_of(server))
    assert caught.value.retry_after == 12


@given(st.text(max_size=30) | st.text("0123456789 -+:,GMTJanWed", max_size=30))
def test_any_retry_after_is_seconds_or_nothing(text: str) -> None:
    """Whatever a server writes there, it is no error, and never less than now."""
    found = failures.seconds_to_wait(text)
    assert found is None or found >= 0


def test_dates_that_have_gone_are_now() -> None:
    """A clock that is behind makes no negative wait; what is neither says nothing."""
    assert failures.seconds_to_wait(formatdate(time.time() - 100, usegmt=True)) == 0
    assert failures.seconds_to_wait("Wed, 21 Oct 2015 07:28:00 -0000") == 0
    assert failures.seconds_to_wait("soon") is None
    assert failures.seconds_to_wait("-5") is None
    assert failures.seconds_to_wait(None) is None


def test_the_core_waits_as_long_as_it_is_asked(
    server: HttpEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says when the next attempt is, and closing does not wait for it."""
    server.answers.append(status(429, Retry_After="200"))
    with (
        caplog.at_level(logging.WARNING, "event_brokers"),
        event_brokers.connect({"type": "http", "url": server.url}) as broker,
    ):
        broker.publish({"n": 0})
        wait_until(lambda: broker.status().state == "retrying")
        assert broker.flush(0.01).pending == 1
        assert broker.close(20).delivered == 1
    told = f"http: retrying: 127.0.0.1:{server.port} answers 429 Too Many Requests; next attempt "
    assert caplog.messages[0] == f"{told}in 200.0 s"


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 10_000, 0.02),
        drip(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50, 0.05),
        drip(b" ", 0.02),
        silence,
    ],
    ids=["in a header", "header after header", "in the status", "nothing"],
)
def test_a_server_that_drips_is_left(server: HttpEndpoint, answer: Answer) -> None:
    """The deadline is for the whole answer, however busy the line looks."""
    server.answers.append(answer)
    with connected(server, timeout=0.5) as connection:
        raised = raised_by(connection, events(2))
    assert isinstance(raised, BrokerUnavailable)
    assert str(raised) == f"127.0.0.1:{server.port} does not answer"
    assert raised.confirmed == set()
    assert numbers(server) == [0]


def test_a_body_that_drips_behind_a_success_holds_nothing_up(server: HttpEndpoint) -> None:
    """The status is what counts; the connection is left and the next event takes another."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    whole = iter([head])

    def answer(client: socket.socket, arrival: Arrival) -> bool:
        client.sendall(next(whole))
        return drip(b"1\r\na\r\n", 0.05)(client, arrival)

    server.answers.append(answer)
    with connected(server, timeout=0.5) as connection:
        connection.publish(events(2))
    assert numbers(server) == [0, 1]
    assert server.connections == 2


def test_a_server_that_drips_in_the_probe_is_not_connected_to(server: HttpEndpoint) -> None:
    """`connect` is bounded, too."""
    server.to_probes = drip(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50, 0.05)
    with pytest.raises(BrokerUnavailable, match="does not answer"):
        Connection(options_of(server, timeout=0.5))


@pytest.mark.parametrize(
    "answer", [raw(b""), reset, raw(b"HTTP/1.1 2")], ids=["closed", "reset", "half a line"]
)
def test_an_answer_that_breaks_off_is_an_outage(server: HttpEndpoint, answer: Answer) -> None:
    """It was sent twice at the most, with the same key, and nothing is taken for confirmed."""
    server.answer = answer
    with connected(server) as connection:
        raised = raised_by(connection, events(2))
    assert isinstance(raised, BrokerUnavailable)
    assert raised.confirmed == set()
    assert {arrival.headers["idempotency-key"] for arrival in server.arrived} == {"e0"}
    assert len(server.arrived) <= 2


@pytest.mark.parametrize(
    "text",
    [b"SSH-2.0-OpenSSH\r\n", b"\0\1\2\3\n", b"HTTP/1.1 xyz OK\r\n\r\n", b"a" * 100_000 + b"\n",
     b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n"],
    ids=["ssh", "binary", "no number", "a long line", "many headers"],
)  # fmt: skip
def test_what_is_no_http_is_said_to_be_none(server: HttpEndpoint, text: bytes) -> None:
    """In words, without what was answered; events wait."""
    server.answer = server.to_probes = raw(text)
    with pytest.raises(BrokerUnavailable) as caught:
        Connection(options_of(server))
    assert str(caught.value) == (
        f"127.0.0.1:{server.port} answers with something else than HTTP; is it the right url?"
    )


def test_kept_connections_that_are_closed_are_no_outage(
    server: HttpEndpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """A server may close them at any time: between requests, or after it has answered one."""
    with (
        caplog.at_level(logging.WARNING, "event_brokers"),
        event_brokers.connect({"type": "http", "url": server.url}) as broker,
    ):
        for number in range(20):
            if number % 2:
                server.answers.append(status(204, close=True))
            broker.publish({"n": number})
            assert broker.flush(20).pending == 0
            server.drop()
    assert numbers(server) == list(range(20))
    assert not caplog.messages


def test_a_connection_that_closes_as_a_request_leaves_is_no_outage(server: HttpEndpoint) -> None:
    """Nothing was answered on a connection that was used before: sent again, with its key."""
    with connected(server) as connection:
        connection.publish(events(1))
        server.answers.append(raw(b""))
        connection.publish(events(3)[1:])
    assert numbers(server) == [0, 1, 1, 2]
    assert server.connections == 2


def test_an_answer_that_comes_before_the_body_was_read_is_heard() -> None:
    """A server that refuses a large body may close without having read it: no outage."""

    def refuse(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(1000)
            client.sendall(b"HTTP/1.1 204 No\r\n\r\n")
            client.recv(1000)
            client.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=refuse, args=[listener])
        serving.start()
        port = listener.getsockname()[1]
        options = endpoints.read({"type": "http", "url": f"http://127.0.0.1:{port}"}).options
        with closing(Connection(options)) as connection:
            raised = raised_by(connection, [Event.from_dict({"text": "x" * 7_000_000})])
        serving.join()
    assert isinstance(raised, RejectedEvents)
    assert "413" in str(raised)


def test_a_publish_ends_in_time_however_many_events_there_are(
    server: HttpEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left comes again at once, over the same connection, and nobody hears of it."""
    monkeypatch.setattr(connection, "PUBLISH_SECONDS", 0.0)
    with connected(server) as live:
        raised = raised_by(live, events(5))
        assert isinstance(raised, PartlyPublished)
        assert raised.confirmed == {"e0"}
    with event_brokers.connect({"type": "http", "url": server.url}) as broker:
        broker.publish_many([{"n": number} for number in range(1, 20)])
        assert broker.flush(20).delivered == 19
    assert numbers(server) == list(range(20))


@pytest.mark.parametrize("code", [200, 204, 400, 403, 404, 405, 500, 501])
def test_a_server_that_has_no_use_for_the_probe_is_there(server: HttpEndpoint, code: int) -> None:
    """The request that asks whether it is there has no body, and its answer says nothing else."""
    server.to_probes = status(code, body=b"" if code == 204 else b"hello")
    with connected(server) as connection:
        connection.publish(events(1))
    (probe,) = server.probes
    assert (probe.method, probe.target, probe.body) == ("OPTIONS", "/events", b"")
    assert server.connections == 1


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_the_probe_may_be_another_safe_method(server: HttpEndpoint, method: str) -> None:
    """For a server, or a wall before it, that lets OPTIONS through to nobody."""
    with connected(server, probe=method):
        assert [probe.method for probe in server.probes] == [method]


@pytest.mark.parametrize(
    ("login", "option"),
    [
        ({}, "token: missing"),
        ({"token": "canary"}, "token"),
        ({"headers": {"X": "canary"}}, "headers"),
        ({"username": "me", "password": "canary"}, "password"),
    ],
)  # fmt: skip
def test_a_login_that_is_wrong_shows_in_connect(
    server: HttpEndpoint, login: dict[str, Any], option: str
) -> None:
    """401 to the probe names the option of the login."""
    server.to_probes = status(401)
    with pytest.raises(ConfigurationError, match=rf"event_broker\.{option}") as caught:
        Connection(options_of(server, **login))
    assert "canary" not in str(caught.value)
    server.to_probes = status(204)
    named_in_url = server.url.replace("://", "://me:canary@")
    server.to_probes = status(401)
    with pytest.raises(ConfigurationError, match=r"event_broker\.url: ") as caught:
        Connection(options_of(server, url=named_in_url))
    assert "canary" not in str(caught.value)


def test_looking_sends_no_event_and_says_what_it_proves(
    server: HttpEndpoint, commands: Commands
) -> None:
    """`check` asks by OPTIONS alone; the sentences say where, as whom, and what is not known."""
    secret = "whsec_" + "A" * 40
    commands.broker(
        {"type": "http", "url": server.url, "token": "canary", "batch": "lines",
         "format": "cloudevents", "compression": "gzip", "signing_secret": secret}
    )  # fmt: skip
    done = commands.run("check", "--json")
    where, probed, form = done.document["found"]
    assert where == f"connected to 127.0.0.1:{server.port} with a token, no TLS"
    assert probed.startswith("OPTIONS was answered with 204, and no event was sent; ")
    assert probed.endswith("and the login is right, shows with the first one")
    assert form == (
        "events go by POST, in lines, of 100 events at most, as CloudEvents 1.0, compressed by "
        "gzip, signed"
    )
    assert not server.arrived
    assert (len(server.probes), server.probes[0].body) == (1, b"")
    assert inspect(options_of(server, username="me", password="x"))[0].endswith("as me, no TLS")


def test_nobody_can_tail_an_endpoint(server: HttpEndpoint, commands: Commands) -> None:
    """One sentence, and no traceback."""
    commands.broker({"type": "http", "url": server.url})
    done = commands.run("tail")
    assert done.err == (
        "Error: event_broker.type: 'http' cannot be consumed from; its plugin has no hook "
        "'consume'\n"
    )


def test_a_spool_and_its_dead_letters(server: HttpEndpoint, tmp_path: Path) -> None:
    """Events wait on disk while the server is away; a refused one is sent again when asked."""
    server.stop()
    section = {"type": "http", "url": server.url, "delivery": {"spool": str(tmp_path / "spool")}}
    with event_brokers.connect(section) as broker:
        broker.publish_many([{"n": number} for number in range(3)])
        wait_until(lambda: broker.status().last_error)
        assert broker.close(0.1).pending == 3
    server.answers.extend([status(204), status(422)])
    server.start()
    with event_brokers.connect(section) as broker:
        status_ = broker.flush(20)
        assert (status_.pending, status_.dead_letters) == (0, 1)
    assert numbers(server) == [0, 1, 2]


def context_of(certificates: Certificates) -> ssl.SSLContext:
    """Return what a server with TLS speaks, which takes clients with and without a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server_key_and_certificate)
    context.load_verify_locations(certificates.ca)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context


@pytest.fixture
def over_tls(certificates: Certificates) -> Iterator[HttpEndpoint]:
    """Return a server with TLS."""
    with HttpEndpoint(context_of(certificates)) as endpoint:
        yield endpoint


def test_events_go_over_tls(over_tls: HttpEndpoint, certificates: Certificates) -> None:
    """With and without a certificate of one's own, over one connection each."""
    trusted = {"ssl_cafile": str(certificates.ca)}
    own = {
        "ssl_certfile": str(certificates.client_certificate),
        "ssl_keyfile": str(certificates.encrypted_client_key),
        "ssl_password": certificates.client_key_password,
    }
    for more in ({}, own):
        with connected(over_tls, **trusted, **more) as connection:
            connection.publish(events(3))
            connection.publish(events(3))
    assert over_tls.connections == 2
    over_tls.drop()
    with connected(over_tls, **trusted) as connection:
        connection.publish(events(1))
        over_tls.answers.append(raw(b""))
        connection.publish(events(1))


def test_another_name_is_refused_and_may_be_allowed(certificates: Certificates) -> None:
    """The certificate is for localhost and 127.0.0.1."""
    trusted = {"ssl_cafile": str(certificates.ca)}
    with HttpEndpoint(context_of(certificates), host="127.0.0.2") as server:
        with pytest.raises(ConfigurationError, match=r"event_broker\.ssl_check_hostname: "):
            Connection(options_of(server, **trusted))
        with connected(server, **trusted, ssl_check_hostname=False) as connection:
            connection.publish(events(1))


def test_a_stranger_is_told_nothing(over_tls: HttpEndpoint, certificates: Certificates) -> None:
    """A certificate that is not trusted is refused before a request, with its token, leaves."""
    with pytest.raises(ConfigurationError, match=r"event_broker\.ssl_cafile: "):
        Connection(options_of(over_tls, ssl_cafile=str(certificates.other_ca), token="secret"))
    assert not over_tls.probes


def test_a_deadline_holds_over_tls(over_tls: HttpEndpoint, certificates: Certificates) -> None:
    """A byte now and then, encrypted."""
    over_tls.answers.append(drip(b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 50, 0.05))
    with connected(over_tls, ssl_cafile=str(certificates.ca), timeout=0.5) as connection:
        raised = raised_by(connection, events(1))
    assert isinstance(raised, BrokerUnavailable)
    assert str(raised).endswith("does not answer")


def test_the_wrong_scheme_is_named() -> None:
    """https:// to a server without TLS, and http:// to one that answers as TLS does."""
    for answer, scheme, sentence in (
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "https", "does not speak TLS"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "http", "wants TLS; write https://"),
    ):
        with answering(answer) as port:
            section = {"type": "http", "url": f"{scheme}://127.0.0.1:{port}", "timeout": 5}
            with pytest.raises(ConfigurationError) as caught:
                Connection(endpoints.read(section).options)
        assert str(caught.value).startswith("event_broker.url: ")
        assert sentence in str(caught.value)


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    """Answer the first bytes of each connection with these; yield the port."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(10_000)
            self.request.sendall(answer)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        serving = threading.Thread(target=listening.serve_forever, args=[0.01])
        serving.start()
        yield listening.server_address[1]
        listening.shutdown()
        serving.join()


def test_a_token_on_its_way_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """Once, where it leaves the machine without TLS; here, where nobody listens."""
    url = f"http://192.0.2.1:{free_port()}"
    section = {"type": "http", "url": url, "token": "canary", "timeout": 0.1}
    options = endpoints.read(section).options
    with caplog.at_level(logging.WARNING, "event_brokers"), pytest.raises(BrokerUnavailable):
        Connection(options)
    (message,) = caplog.messages
    assert message.startswith("http: the token can be read on its way to '192.0.2.1:")
    assert "write https://" in message


def test_a_program_that_forks_goes_on_in_both(server: HttpEndpoint, commands: Commands) -> None:
    """The child makes a connection of its own, with a deadline of its own."""
    program = commands.folder / "forks.py"
    program.write_text(
        "import os, sys, event_brokers\n"
        f"broker = event_brokers.connect({{'type': 'http', 'url': {server.url!r}}})\n"
        "broker.publish({'n': 0})\n"
        "assert broker.flush(20).pending == 0\n"
        "child = os.fork()\n"
        "broker.publish({'n': 1 if child else 2})\n"
        "assert broker.close(20).pending == 0\n"
        "if child: sys.exit(os.waitpid(child, 0)[1])\n"
    )
    ended = subprocess.run([sys.executable, str(program)], check=False, timeout=60)
    assert ended.returncode == 0
    assert sorted(numbers(server)) == [0, 1, 2]


def test_the_class_delivers(server: HttpEndpoint) -> None:
    """With options in Python."""
    broker: EventBroker = HTTPProducer(server.url, method="PUT")
    with broker:
        broker.publish({"n": 1})
    assert [arrival.method for arrival in server.arrived] == ["PUT"]


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_real_rasa_delivers_with_its_token_and_headers(
    server: HttpEndpoint, is_nested: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its EndpointConfig takes `url`, `token` and `headers` out of a section for itself."""
    options = {"url": server.url, "token": "the-token", "headers": {"X-A": "1"}}
    section = {"broker": {"type": "http", **options}} if is_nested else {
        "broker_type": "http", **options,
    }  # fmt: skip
    with caplog.at_level(logging.WARNING, "event_brokers"):
        broker = rasas_loader.loaded(section)
        broker.publish({"n": 1})
        wait_until(lambda: server.arrived)
        asyncio.run(broker.close())
    (arrival,) = server.arrived
    assert arrival.headers["authorization"] == "Bearer the-token"
    assert arrival.headers["x-a"] == "1"
    assert not caplog.messages
