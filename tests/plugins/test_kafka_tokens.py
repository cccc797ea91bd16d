"""OAUTHBEARER against a real Kafka, which validates each token by the keys of a token server."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest

import event_brokers
from event_brokers import BrokerUnavailable, ConfigurationError, Event, EventBroker, endpoints
from event_brokers.delays import Delays
from event_brokers_kafka import KafkaOptions, access
from event_brokers_kafka.client_traits import ClientName
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.consumer import consume
from event_brokers_kafka.hooks import check
from event_brokers_kafka.renewal import Lease
from event_brokers_kafka.token_request import fetch_token
from servers import KafkaWithTokens, TokenServer
from servers.certificates import Certificates
from servers.token_server import new_key
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("kafka-with-tokens")

THREAD = "event-brokers-login"
# seconds that a token is good: what is left of it when the next one is there has to be more than
# the second after which Kafka lets a client log in again
SHORT = 10.0


@pytest.fixture(scope="module")
def kafka(kafka_with_tokens: tuple[KafkaWithTokens, TokenServer]) -> KafkaWithTokens:
    """Return the broker."""
    return kafka_with_tokens[0]


@pytest.fixture
def tokens(
    kafka_with_tokens: tuple[KafkaWithTokens, TokenServer], certificates: Certificates
) -> Iterator[TokenServer]:
    """Hand out a token server of the test's own, which signs with the key that the broker knows."""
    with TokenServer(certificates, key=kafka_with_tokens[1].key) as server:
        yield server


@pytest.fixture(params=["kafka-python", "librdkafka"])
def client(request: pytest.FixtureRequest) -> ClientName:
    """Return each client in turn."""
    chosen: ClientName = request.param
    return chosen


@pytest.fixture
def name() -> str:
    """Return the name of a topic that nobody else uses."""
    return f"topic-{uuid4()}"


def section(
    kafka: KafkaWithTokens, tokens: TokenServer, name: str, protocol: str = "SASL_SSL", **given: Any
) -> dict[str, Any]:
    """Return the section as somebody writes it."""
    trusted = {"ssl_cafile" if protocol == "SASL_SSL" else "oauth_ssl_cafile"}
    return {
        "type": "kafka",
        "url": kafka.bootstrap(protocol),
        "topic": name,
        "security_protocol": protocol,
        "sasl_mechanism": "OAUTHBEARER",
        "oauth_token_url": tokens.url,
        "oauth_client_id": tokens.client_id,
        "oauth_client_secret": tokens.client_secret,
        **dict.fromkeys(trusted, str(kafka.certificates.ca)),
        **given,
    }


def options(*arguments: Any, **given: Any) -> KafkaOptions:
    """Return the options that a section makes."""
    made = endpoints.read(section(*arguments, **given)).options
    assert isinstance(made, KafkaOptions)
    return made


def arrived(kafka: KafkaWithTokens, name: str, count: int) -> list[Any]:
    """Return what the first events of a topic say, read without any login."""
    plain = KafkaOptions(url=kafka.bootstrap(), topic=name)
    with closing(consume(plain, None, True, set())) as received:
        found: list[Any] = []
        while len(found) < count:
            event = next(received)
            if event is not None:
                found.append(json.loads(event.body))
    return found


def renewing() -> list[threading.Thread]:
    """Return the threads that renew something."""
    return [thread for thread in threading.enumerate() if thread.name == THREAD]


def warnings(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Return what the project has said that a person reads."""
    records = [record for record in caplog.records if record.name == "event_brokers"]
    return [record for record in records if record.levelno > logging.DEBUG]


def has_logged_in_again(caplog: pytest.LogCaptureFixture, client: ClientName) -> bool:
    """Return whether a connection has, and was kept: on a busy machine some come too late.

    librdkafka does not say so; that the stream went on past the end of a session must do.
    """
    if client == "librdkafka":
        return "SASL re-authentication failed" not in caplog.text
    begun = caplog.text.count("Beginning SASL re-authentication")
    return begun > caplog.text.count("SASL re-authentication failed")


@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_events_go_in_and_come_out_with_a_token(
    kafka: KafkaWithTokens, tokens: TokenServer, name: str, protocol: str, client: ClientName
) -> None:
    """By `connect`, `check` and `consume`, with the section that a user writes."""
    written = section(kafka, tokens, name, protocol, client=client, oauth_scope="events:write")
    with event_brokers.connect(written) as broker:
        broker.publish({"sender_id": "s", "event": "user", "n": 1})
    with closing(event_brokers.consume(written, group="g", from_start=True)) as consumer:
        received = next(iter(consumer))
    assert received.event == {"sender_id": "s", "event": "user", "n": 1}
    made = endpoints.read(written).options
    assert check(made)[0].startswith(
        f"connected to {kafka.bootstrap(protocol)} as {tokens.client_id} by OAUTHBEARER, "
    )
    assert {request["scope"] for request in tokens.requests} == {"events:write"}
    assert {request["client_id"] for request in tokens.requests} == {tokens.client_id}
    assert not renewing()


def test_a_token_that_expires_in_mid_stream_is_followed_by_another(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    caplog: pytest.LogCaptureFixture,
    client: ClientName,
) -> None:
    """The stream does not notice: the connection logs in again, every event once and in order."""
    tokens.lifetime = SHORT
    caplog.set_level(logging.DEBUG)
    sent = 0
    with closing(Connection(options(kafka, tokens, name, client=client), set())) as opened:

        def is_through_many() -> bool:
            nonlocal sent
            opened.publish([Event.from_dict({"sender_id": "s", "n": sent})])
            sent += 1
            return len(tokens.requests) > 2

        wait_until(is_through_many, 60)
    assert [event["n"] for event in arrived(kafka, name, sent)] == list(range(sent))
    assert has_logged_in_again(caplog, client)
    assert warnings(caplog) == []
    assert not renewing()


def test_a_consumer_goes_on_through_new_tokens(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    caplog: pytest.LogCaptureFixture,
    client: ClientName,
) -> None:
    """Also as a member of a group, which gets every event once and in order."""
    tokens.lifetime = SHORT
    caplog.set_level(logging.DEBUG)
    plain = KafkaOptions(client=client, url=kafka.bootstrap(), topic=name)
    received = consume(options(kafka, tokens, name, client=client), "group", True, set())
    sent = 0
    got: list[int] = []
    with closing(Connection(plain, set())) as opened, closing(received):

        def is_through_many() -> bool:
            nonlocal sent
            if len(got) == sent:
                opened.publish([Event.from_dict({"n": sent})])
                sent += 1
            event = next(received)
            if event is not None:
                got.append(json.loads(event.body)["n"])
            return len(tokens.requests) > 2 and len(got) == sent

        wait_until(is_through_many, 60)
    assert got == list(range(sent))
    assert has_logged_in_again(caplog, client)
    assert warnings(caplog) == []
    assert not renewing()


def test_only_a_thread_of_ours_asks_for_tokens(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    client: ClientName,
) -> None:
    """Never kafka-python's, on which everything else would wait, nor the caller's."""
    tokens.lifetime = SHORT
    asked: list[str] = []

    def watched(given: KafkaOptions) -> Lease[Any]:
        asked.append(threading.current_thread().name)
        return fetch_token(given)

    monkeypatch.setattr(access, "fetch_token", watched)
    with closing(Connection(options(kafka, tokens, name, client=client), set())) as opened:

        def is_through_two() -> bool:
            opened.publish([Event.from_dict({})])
            return len(asked) > 1

        wait_until(is_through_two, 60)
    assert set(asked) == {THREAD}


def test_a_wrong_secret_is_said_and_not_shown(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    caplog: pytest.LogCaptureFixture,
    client: ClientName,
) -> None:
    """By all three, although the token server itself repeats it; and nothing is left behind."""
    caplog.set_level(logging.DEBUG)
    wrong = options(kafka, tokens, name, client=client, oauth_client_secret="hunter2-hunter2")
    for attempt in (
        lambda: Connection(wrong, set()),
        lambda: check(wrong),
        lambda: next(consume(wrong, None, True, set())),
    ):
        with pytest.raises(ConfigurationError) as caught:
            attempt()
        assert str(caught.value) == (
            f"event_broker.oauth_client_secret: '{tokens.url}' refuses the client "
            f"'{tokens.client_id}'; check oauth_client_id and oauth_client_secret"
        )
    assert "hunter2" not in caplog.text
    wait_until(lambda: not renewing())


def test_neither_secret_nor_token_is_in_a_log(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    caplog: pytest.LogCaptureFixture,
    client: ClientName,
) -> None:
    """At whatever level: kafka-python logs its requests, and a login is one of them."""
    caplog.set_level(logging.DEBUG)
    given: list[str] = []
    token = tokens.token

    def noted(**claims: Any) -> str:
        given.append(token(**claims))
        return given[-1]

    tokens.token = noted  # type: ignore[method-assign]
    with event_brokers.connect(section(kafka, tokens, name, client=client)) as broker:
        broker.publish({"text": "canary"})
    assert "Request" in caplog.text
    assert given
    for secret in (*given, tokens.client_secret, "canary"):
        assert secret not in caplog.text


@pytest.mark.parametrize(
    "claims",
    [{"aud": "another"}, {"iss": "another"}, {"exp": 1}, {"key": new_key}],
    ids=["audience", "issuer", "expired", "signature"],
)
def test_a_token_that_the_broker_does_not_take_is_said(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    claims: dict[str, Any],
    client: ClientName,
) -> None:
    """The token server is content, so the way out is at one of the two servers."""
    token = tokens.token
    if "key" in claims:
        tokens.key = claims["key"]()
    else:
        tokens.token = lambda **_: token(**claims)  # type: ignore[method-assign]
    given = options(kafka, tokens, name, client=client)
    with pytest.raises(ConfigurationError) as caught:
        Connection(given, set())
    assert str(caught.value) == (
        f"event_broker.oauth_token_url: '{given.url}' refuses the token that it gives to "
        f"'{tokens.client_id}'; check what the broker expects of a token, and oauth_scope"
    )
    wait_until(lambda: not renewing())


def test_a_token_server_that_cannot_be_reached_is_waited_for(
    kafka: KafkaWithTokens, tokens: TokenServer, name: str, client: ClientName
) -> None:
    """It may come back by itself, and what was published meanwhile arrives."""
    tokens.stop()
    with pytest.raises(BrokerUnavailable) as caught:
        check(options(kafka, tokens, name, client=client))
    assert str(caught.value) == f"no token: localhost:{tokens.port} refused the connection"
    settings = endpoints.read(section(kafka, tokens, name, client=client))
    with EventBroker(settings, Delays(first=0.05, longest=0.2)) as broker:
        for number in range(10):
            broker.publish({"n": number})
        wait_until(lambda: broker.status().last_error)
        assert broker.status().delivered == 0
        tokens.start()
    assert [event["n"] for event in arrived(kafka, name, 10)] == list(range(10))


def test_an_outage_of_the_token_server_in_mid_stream_loses_nothing(
    kafka: KafkaWithTokens,
    tokens: TokenServer,
    name: str,
    caplog: pytest.LogCaptureFixture,
    client: ClientName,
) -> None:
    """Events wait from when the last token has ended until there is another; all that is said."""
    tokens.lifetime = SHORT
    caplog.set_level(logging.WARNING, "event_brokers")
    settings = endpoints.read(section(kafka, tokens, name, client=client))
    sent = 0
    with EventBroker(settings, Delays(first=0.05, longest=0.2)) as broker:

        def go_on() -> bool:
            nonlocal sent
            broker.publish({"n": sent})
            sent += 1
            return True

        go_on()
        wait_until(lambda: broker.status().delivered == 1)
        tokens.stop()
        wait_until(lambda: go_on() and "is not renewed" in caplog.text, 60)
        wait_until(lambda: go_on() and "no token: " in (broker.status().last_error or ""), 60)
        tokens.start()
        wait_until(lambda: broker.flush(0.1).pending == 0, 60)
    assert [event["n"] for event in arrived(kafka, name, sent)] == list(range(sent))
    (said,) = [message for message in caplog.messages if "is not renewed" in message]
    assert said.startswith(
        f"kafka: the token for '{tokens.client_id}' is not renewed, and ends in "
    )
    assert said.endswith(f"localhost:{tokens.port} refused the connection; it is tried again")
    assert not renewing()


def test_parent_and_child_of_a_fork_both_have_tokens(
    kafka: KafkaWithTokens, tokens: TokenServer, name: str, client: ClientName
) -> None:
    """The parent's is renewed as before, and the child asks for one of its own."""
    tokens.lifetime = SHORT
    written = section(kafka, tokens, name, client=client)
    with event_brokers.connect(written) as broker:
        broker.publish({"n": 0})
        wait_until(lambda: broker.status().delivered == 1)
        before = len(tokens.requests)
        child = os.fork()
        if not child:
            code = 1
            try:
                broker.publish({"n": 1})
                code = 0 if broker.flush(60).pending == 0 else 2
                broker.close()
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert len(tokens.requests) > before
        wait_until(lambda: len(tokens.requests) > before + 2, 60)
        broker.publish({"n": 2})
    assert sorted(event["n"] for event in arrived(kafka, name, 3)) == [0, 1, 2]
    assert not renewing()


def test_closing_ends_the_thread_also_where_nobody_gives_tokens(
    kafka: KafkaWithTokens, tokens: TokenServer, name: str, client: ClientName
) -> None:
    """Whatever the thread waits for at that moment."""
    tokens.lifetime = 1.0
    with closing(Connection(options(kafka, tokens, name, client=client), set())) as opened:
        opened.publish([Event.from_dict({})])
        assert renewing()
        tokens.stop()
    wait_until(lambda: not renewing())
