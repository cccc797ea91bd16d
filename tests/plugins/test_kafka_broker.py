"""The Kafka plugin against real brokers with each client, read back with kafka-python's own."""

from __future__ import annotations

import json
import logging
import os
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest
import trustme
from kafka import KafkaAdminClient, KafkaConsumer
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    NewTopic,
    ResourcePattern,
    ResourceType,
)
from kafka.errors import InvalidRecordError, KafkaError
from msgspec import structs

from event_brokers import BrokerUnavailable, ConfigurationError, Event, RejectedEvents, Secret
from event_brokers.plugin.network import Address
from event_brokers_kafka import KafkaOptions, KafkaProducer, connection, limits, session
from event_brokers_kafka.client_traits import ClientName
from event_brokers_kafka.connection import Connection
from event_brokers_kafka.consumer import consume
from event_brokers_kafka.failures import translate_failures
from event_brokers_kafka.hooks import check
from event_brokers_kafka.kafka_python.failures import failures_of
from event_brokers_kafka.topic import Topic
from servers import Kafka, free_port
from servers.certificates import Certificates, chain, pkcs8
from servers.fixtures import started
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("kafka")

SECONDS_TO_SAY_WHAT_IS_WRONG = 10.0
CLIENTS = ("kafka-python", "librdkafka")


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> ClientName:
    """Return each client in turn: what a person sees is the same."""
    chosen: ClientName = request.param
    return chosen


@pytest.fixture
def name() -> str:
    """Return the name of a topic that nobody else uses."""
    return f"topic-{uuid4()}"


def an_event(number: int = 0, sender_id: str | None = "s", size: int = 0) -> Event:
    """Return an event whose body says its number."""
    text = "x" * size
    return Event.from_dict(
        {"sender_id": sender_id, "event": "user", "number": number, "text": text}
    )


def plain(server: Kafka, name: str, **given: Any) -> KafkaOptions:
    """Return options for the listener without login and TLS."""
    return KafkaOptions(url=server.bootstrap(), topic=name, **given)


def manner(server: Kafka, kind: str) -> dict[str, Any]:
    """Return the options for one way in."""
    certificates = server.certificates
    alice = {"sasl_username": server.username, "sasl_password": Secret(server.password)}
    bob = {
        "sasl_username": server.scram_username,
        "sasl_password": Secret(server.scram_password),
    }
    protocol, _, detail = kind.partition(" ")
    options: dict[str, Any] = {"url": server.bootstrap(protocol), "security_protocol": protocol}
    if protocol.startswith("SASL"):
        options |= alice if detail == "PLAIN" else bob
        options["sasl_mechanism"] = detail
    if protocol.endswith("SSL"):
        options["ssl_cafile"] = str(certificates.ca)
    if protocol == "SSL":
        options["ssl_certfile"] = str(certificates.client_certificate)
        options["ssl_keyfile"] = str(certificates.client_key)
    if detail == "encrypted":
        options["ssl_keyfile"] = str(certificates.encrypted_client_key)
        options["ssl_password"] = Secret(certificates.client_key_password)
    return options


def connect(options: KafkaOptions) -> Connection:
    """Return a connection that has used no topic before."""
    return Connection(options, set())


@contextmanager
def connected(options: KafkaOptions) -> Iterator[Connection]:
    """Hand out a connection and close it."""
    with closing(connect(options)) as opened:
        yield opened


def stored(server: Kafka, name: str, count: int, timeout: float = 30.0) -> list[Any]:
    """Return the first records of a topic, in the order of their offsets."""
    consumer = KafkaConsumer(
        name,
        bootstrap_servers=server.bootstrap(),
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    records: list[Any] = []

    def enough() -> bool:
        for found in consumer.poll(timeout_ms=100).values():
            records.extend(found)
        return len(records) >= count

    with closing(consumer):
        wait_until(enough, timeout)
    return records


def make_topic(server: Kafka, name: str, **settings: str) -> None:
    """Make a topic as an administrator would."""
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap())) as admin:
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=settings)])


def topics(server: Kafka) -> set[str]:
    """Return the names of all topics."""
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap())) as admin:
        return set(admin.list_topics())


def what_is_wrong(
    attempt: Callable[[], object],
    kind: type[Exception],
    within: float = SECONDS_TO_SAY_WHAT_IS_WRONG,
) -> str:
    """Return the sentence with which an attempt fails, which must be soon."""
    begin = time.monotonic()
    with pytest.raises(kind) as caught:
        attempt()
    assert type(caught.value) is kind
    assert time.monotonic() - begin < within
    return str(caught.value)


def test_an_event_arrives_with_key_headers_and_exactly_its_body(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch, client: ClientName
) -> None:
    """The body is the caller's dictionary and nothing else; the rest travels beside it."""
    monkeypatch.setenv("RASA_ENVIRONMENT", "production")
    event = Event.from_dict(
        {"sender_id": "ünï", "event": "bot", "text": "hé"}, "the-id", {"x-trace": "trâce"}
    )
    with connected(plain(kafka, name, client=client)) as opened:
        opened.publish([event])
    [record] = stored(kafka, name, 1)
    assert record.value == event.body
    assert record.key == "ünï".encode()
    assert record.headers == [
        ("x-trace", "trâce".encode()),
        ("event_id", b"the-id"),
        ("event_type", b"bot"),
        ("RASA_ENVIRONMENT", b"production"),
    ]


def test_a_header_that_is_given_is_not_replaced(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch, client: ClientName
) -> None:
    """Whoever says where an event is from knows it better than the environment."""
    monkeypatch.setenv("RASA_ENVIRONMENT", "production")
    event = Event.from_dict({}, "the-id", {"RASA_ENVIRONMENT": "given"})
    with connected(plain(kafka, name, client=client)) as opened:
        opened.publish([event])
    [record] = stored(kafka, name, 1)
    assert record.headers == [("RASA_ENVIRONMENT", b"given"), ("event_id", b"the-id")]


def test_an_event_that_names_nothing_has_an_id_and_no_key(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch, client: ClientName
) -> None:
    """Neither sender_id nor event is required."""
    monkeypatch.delenv("RASA_ENVIRONMENT", raising=False)
    event = Event.from_dict({}, event_id="the-id")
    with connected(plain(kafka, name, client=client)) as opened:
        opened.publish([event])
    [record] = stored(kafka, name, 1)
    assert (record.key, record.value, record.headers) == (None, b"{}", [("event_id", b"the-id")])


def test_without_partition_by_sender_there_is_no_key(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Rasa's default can be had."""
    with connected(plain(kafka, name, client=client, partition_by_sender=False)) as opened:
        opened.publish([an_event()])
    [record] = stored(kafka, name, 1)
    assert record.key is None


@pytest.mark.parametrize(
    "kind",
    [
        "PLAINTEXT",
        "SASL_PLAINTEXT PLAIN",
        "SASL_PLAINTEXT SCRAM-SHA-256",
        "SASL_PLAINTEXT SCRAM-SHA-512",
        "SSL",
        "SSL encrypted",
        "SASL_SSL PLAIN",
        "SASL_SSL SCRAM-SHA-512",
    ],
)
def test_every_security_protocol_delivers(
    kafka: Kafka, name: str, kind: str, client: ClientName
) -> None:
    """Each listener of a real broker takes events in the manner that it asks for."""
    events = [an_event(number) for number in range(20)]
    with connected(KafkaOptions(client=client, topic=name, **manner(kafka, kind))) as opened:
        opened.publish(events)
    assert [record.value for record in stored(kafka, name, 20)] == [event.body for event in events]


def test_compressed_events_arrive_as_they_were(kafka: Kafka, name: str) -> None:
    """The codec of the batches does not show to a consumer."""
    events = [an_event(number, size=500) for number in range(100)]
    with connected(plain(kafka, name, compression_type="gzip")) as opened:
        opened.publish(events)
    assert [record.value for record in stored(kafka, name, 100)] == [e.body for e in events]


def test_the_class_of_the_original_documentation_delivers(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """`KafkaProducer(host=..., topic=..., sasl_plain_username=...)` is an EventBroker."""
    with KafkaProducer(
        client=client,
        host=[kafka.bootstrap("SASL_PLAINTEXT")],
        topic=name,
        sasl_plain_username=kafka.username,
        sasl_plain_password=kafka.password,
    ) as broker:
        broker.publish({"sender_id": "s", "event": "user"})
    assert broker.status().delivered == 1
    assert len(stored(kafka, name, 1)) == 1


def test_a_lone_event_does_not_wait_for_company(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """The producer lingers only until the batch has been handed over."""
    seconds = []
    with connected(plain(kafka, name, client=client)) as opened:
        for number in range(20):
            begin = time.monotonic()
            opened.publish([an_event(number)])
            seconds.append(time.monotonic() - begin)
    assert min(seconds) < limits.LINGER_MILLISECONDS / 1000


WRONG: dict[str, tuple[str, Callable[[Kafka], dict[str, Any]], str]] = {
    "password": (
        "SASL_PLAINTEXT PLAIN",
        lambda _: {"sasl_password": Secret("hunter2")},
        (
            "event_broker.sasl_password: '{}' refuses the user 'alice' by PLAIN; "
            "check sasl_username and sasl_password"
        ),
    ),
    "password with SCRAM": (
        "SASL_SSL SCRAM-SHA-256",
        lambda _: {"sasl_password": Secret("hunter2")},
        (
            "event_broker.sasl_password: '{}' refuses the user 'bob' by SCRAM-SHA-256; "
            "check sasl_username and sasl_password"
        ),
    ),
    "user": (
        "SASL_SSL PLAIN",
        lambda _: {"sasl_username": "nobody"},
        (
            "event_broker.sasl_password: '{}' refuses the user 'nobody' by PLAIN; "
            "check sasl_username and sasl_password"
        ),
    ),
    "no client certificate": (
        "SSL",
        lambda _: {"ssl_certfile": None, "ssl_keyfile": None},
        "event_broker.ssl_certfile: missing; '{}' asks for a client certificate",
    ),
    "unknown authority": (
        "SASL_SSL PLAIN",
        lambda server: {"ssl_cafile": str(server.certificates.other_ca)},
        (
            "event_broker.ssl_cafile: the certificate of '{}' is signed by an authority that is "
            "not in '{other_ca}'; give the file of that authority"
        ),
    ),
    "authority unknown to the system": (
        "SASL_SSL PLAIN",
        lambda _: {"ssl_cafile": None},
        (
            "event_broker.ssl_cafile: the certificate of '{}' is signed by an authority that is "
            "not in the system's; give the file of that authority"
        ),
    ),
    "TLS on a plain listener": (
        "PLAINTEXT",
        lambda _: {"security_protocol": "SSL"},
        (
            "event_broker.security_protocol: '{}' does not speak TLS; "
            "give the port of its TLS listener, or PLAINTEXT for no TLS"
        ),
    ),
    "plain text on a TLS listener": (
        "SASL_SSL PLAIN",
        lambda _: {"security_protocol": "SASL_PLAINTEXT", "ssl_cafile": None},
        "event_broker.security_protocol: '{}' speaks TLS; give SASL_SSL",
    ),
    "no login where one is wanted": (
        "SASL_PLAINTEXT PLAIN",
        lambda _: {"security_protocol": "PLAINTEXT", "sasl_username": None, "sasl_password": None},
        (
            "event_broker.security_protocol: '{}' wants a login; "
            "give SASL_PLAINTEXT, sasl_username and sasl_password"
        ),
    ),
    "no login where one is wanted over TLS": (
        "SASL_SSL PLAIN",
        lambda _: {"security_protocol": "SSL", "sasl_username": None, "sasl_password": None},
        (
            "event_broker.security_protocol: '{}' wants a login; "
            "give SASL_SSL, sasl_username and sasl_password"
        ),
    ),
    "a login where none is wanted": (
        "PLAINTEXT",
        lambda _: {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_username": "alice",
            "sasl_password": Secret("hunter2"),
        },
        (
            "event_broker.security_protocol: '{}' logs nobody in; "
            "give PLAINTEXT and take sasl_username and sasl_password out"
        ),
    ),
    "key that is encrypted": (
        "SSL encrypted",
        lambda _: {"ssl_password": None},
        "event_broker.ssl_password: missing; the key in '{encrypted_client_key}' is encrypted",
    ),
    "password of the key": (
        "SSL encrypted",
        lambda _: {"ssl_password": Secret("hunter2")},
        "event_broker.ssl_password: does not open the key in '{encrypted_client_key}'",
    ),
    "key of another certificate": (
        "SSL",
        lambda server: {"ssl_keyfile": str(server.certificates.server_key)},
        (
            "event_broker.ssl_keyfile: '{server_key}' is not the key of the certificate "
            "in '{client_certificate}'"
        ),
    ),
    "file that is no certificate": (
        "SSL",
        lambda server: {"ssl_cafile": str(server.certificates.client_key)},
        "event_broker.ssl_cafile: '{client_key}' holds no certificate in PEM form",
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_person_must_change_is_said_within_seconds(
    kafka: Kafka, name: str, wrong: str
) -> None:
    """Each mistake has its own sentence, in `connect` as in `check`, and it shows no secret."""
    kind, change, sentence = WRONG[wrong]
    options = KafkaOptions(topic=name, **(manner(kafka, kind) | change(kafka)))
    wanted = sentence.format(options.url, **vars(kafka.certificates))
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == wanted
    assert what_is_wrong(lambda: check(options), ConfigurationError) == wanted


@pytest.mark.parametrize("option", ["ssl_cafile", "ssl_certfile", "ssl_keyfile"])
def test_a_file_that_is_missing_is_named(kafka: Kafka, name: str, option: str) -> None:
    """The sentence names option and path before anything connects."""
    options = KafkaOptions(topic=name, **(manner(kafka, "SSL") | {option: "/nowhere/x.pem"}))
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == (
        f"event_broker.{option}: '/nowhere/x.pem' cannot be read: no such file or directory"
    )


def test_a_certificate_for_another_host_is_refused_unless_told_otherwise(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host's name is checked by default; without the check the rest still holds."""
    given = manner(kafka, "SASL_SSL PLAIN")
    really_connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, timeout: really_connect(("localhost", address[1]), timeout),
    )
    given["url"] = f"other.example:{kafka.sasl_ssl_port}"
    options = KafkaOptions(topic=name, **given)
    assert what_is_wrong(lambda: check(options), ConfigurationError) == (
        f"event_broker.ssl_check_hostname: the certificate of '{given['url']}' is not for "
        "'other.example'; use a name it is for"
    )
    unchecked = KafkaOptions(topic=name, ssl_check_hostname=False, **given)
    assert "TLS without hostname check" in check(unchecked)[0]
    stranger = given | {"ssl_cafile": str(kafka.certificates.other_ca)}
    untrusted = KafkaOptions(topic=name, ssl_check_hostname=False, **stranger)
    assert "signed by an authority" in what_is_wrong(lambda: check(untrusted), ConfigurationError)


def test_a_client_certificate_of_a_strange_authority_is_refused_in_words(
    kafka: Kafka, name: str, tmp_path: Path
) -> None:
    """With TLS 1.3 the broker says so only after the handshake."""
    stranger = trustme.CA().issue_cert("client@localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    certificate.write_bytes(chain(stranger))
    key.write_bytes(pkcs8(stranger))
    given = {"ssl_certfile": str(certificate), "ssl_keyfile": str(key)}
    options = KafkaOptions(topic=name, **(manner(kafka, "SSL") | given))
    sentence = what_is_wrong(lambda: connect(options), ConfigurationError)
    assert sentence.startswith(
        f"event_broker.ssl_certfile: '{options.url}' refuses the client certificate in "
        f"'{certificate}': "
    )


def test_a_mechanism_that_the_broker_does_not_take_is_named(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence lists what the broker takes."""
    options = KafkaOptions(topic=name, **manner(kafka, "SASL_PLAINTEXT PLAIN"))
    ask = session.Session.ask

    def ask_for_another(opened: Any, request: Any) -> Any:
        if hasattr(request, "mechanism"):
            request.mechanism = "GSSAPI"
        return ask(opened, request)

    monkeypatch.setattr(session.Session, "ask", ask_for_another)
    sentence = what_is_wrong(lambda: check(options), ConfigurationError)
    assert sentence.startswith(
        f"event_broker.sasl_mechanism: '{options.url}' does not take PLAIN; it takes "
    )
    assert "SCRAM-SHA-256" in sentence


def test_a_refused_port_and_an_unknown_host_are_told_apart(name: str) -> None:
    """Both may pass by themselves, so neither is a mistake of the configuration."""
    port = free_port()
    refused = KafkaOptions(url=f"127.0.0.1:{port}", topic=name)
    assert what_is_wrong(lambda: connect(refused), BrokerUnavailable) == (
        f"127.0.0.1:{port} refused the connection"
    )
    unknown = KafkaOptions(url="broker.invalid", topic=name)
    assert what_is_wrong(lambda: check(unknown), BrokerUnavailable) == (
        "no address found for host 'broker.invalid'"
    )


def test_a_server_that_is_not_kafka_is_called_so(name: str) -> None:
    """A web server on the port is a mistake in host or port."""
    with an_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        options = KafkaOptions(url=str(address), topic=name)
        assert what_is_wrong(lambda: check(options), ConfigurationError) == (
            f"event_broker.url: '{address}' is no Kafka broker; check host and port"
        )


def test_a_server_without_tls_is_called_so(name: str) -> None:
    """Where it answers at all, with whatever it is; the option is the one that holds the port."""
    with an_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n") as address:
        options = KafkaOptions(url=str(address), topic=name, security_protocol="SSL")
        assert what_is_wrong(lambda: check(options), ConfigurationError) == (
            f"event_broker.url: '{address}' does not speak TLS; "
            "give the port of its TLS listener, or take TLS out"
        )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_password_that_can_be_read_on_its_way_is_warned_of(
    kafka: Kafka,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mechanism: str,
) -> None:
    """Once, where PLAIN sends it to another machine without TLS; SCRAM does not send it."""
    given = manner(kafka, f"SASL_PLAINTEXT {mechanism}")
    really_connect = socket.create_connection
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, timeout: really_connect(("127.0.0.1", address[1]), timeout),
    )
    given["url"] = f"{mechanism.lower()}.example:{kafka.sasl_plaintext_port}"
    with caplog.at_level(logging.WARNING, "event_brokers"):
        for _ in range(2):
            check(KafkaOptions(topic=name, **given))
    warnings = [record.getMessage() for record in caplog.records if record.name == "event_brokers"]
    expected = [
        (
            f"kafka: the password can be read on its way to '{given['url']}', for there is no "
            "TLS; give security_protocol SASL_SSL, and require_tls: true, so that it is never "
            "sent without"
        )
    ]
    assert warnings == (expected if mechanism == "PLAIN" else [])


@contextmanager
def an_answer(data: bytes) -> Iterator[Address]:
    """Listen on a port and answer every connection with the same bytes."""

    class Answer(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(1024)
            self.request.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield Address("127.0.0.1", server.server_address[1])
        server.shutdown()
        thread.join()


def test_the_other_brokers_of_the_list_are_used_when_one_is_down(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """One broker of `url` that answers is enough."""
    options = KafkaOptions(
        client=client, url=[f"127.0.0.1:{free_port()}", kafka.bootstrap()], topic=name
    )
    with connected(options) as opened:
        opened.publish([an_event()])
    assert len(stored(kafka, name, 1)) == 1


def test_a_leader_that_cannot_be_reached_is_named_with_its_cause(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broker that advertises an address we cannot reach is found out before events are sent."""
    port = free_port()
    leaders = (Address("127.0.0.1", port),)
    elsewhere = Topic(name, 0, 1, leaders, frozenset())
    monkeypatch.setattr(connection, "find_or_make", lambda _session, _name: elsewhere)
    sentence = what_is_wrong(lambda: connect(plain(kafka, name)), BrokerUnavailable)
    assert sentence == (
        f"127.0.0.1:{port} refused the connection; {kafka.bootstrap()} names it as the topic's "
        "broker (advertised.listeners)"
    )


def test_check_says_what_it_found_and_makes_nothing(kafka: Kafka, name: str) -> None:
    """A topic that is missing is still missing afterwards."""
    options = KafkaOptions(topic=name, **manner(kafka, "SASL_SSL SCRAM-SHA-256"))
    assert check(options) == [
        (f"connected to {options.url} as bob by SCRAM-SHA-256, TLS with hostname check"),
        (
            f"topic '{name}' is missing; it is made at the first connect, "
            "if the broker makes topics by itself (auto.create.topics.enable)"
        ),
        (
            f"events go to topic '{name}', key = sender_id (no key is Rasa's default), "
            "client_id = event-brokers (rdkafka is Rasa's default)"
        ),
    ]
    as_in_rasa = structs.replace(options, partition_by_sender=False, client_id="rdkafka")
    assert check(as_in_rasa)[-1] == f"events go to topic '{name}', no key, client_id = rdkafka"
    assert name not in topics(kafka)
    make_topic(kafka, name)
    assert check(options)[1] == f"topic '{name}' found, 1 partition"


def test_connect_makes_the_topic(kafka: Kafka, name: str, client: ClientName) -> None:
    """A consumer finds the topic before the first event."""
    with connected(plain(kafka, name, client=client)):
        assert name in topics(kafka)


def test_a_missing_topic_where_none_is_made_is_said_within_seconds(
    kafka_without_automatic_topics: Kafka, name: str, client: ClientName
) -> None:
    """The sentence names the topic and the command that makes it; then it works."""
    server = kafka_without_automatic_topics
    options = plain(server, name, client=client)
    sentence = what_is_wrong(lambda: connect(options), ConfigurationError)
    assert sentence == (
        f"event_broker.topic: '{name}' does not exist, and '{options.url}' makes no topics by "
        f"itself; kafka-topics.sh --bootstrap-server {options.url} --create --topic {name}"
    )
    assert name not in topics(server)
    make_topic(server, name)
    with connected(options) as opened:
        opened.publish([an_event()])
    assert len(stored(server, name, 1)) == 1


def delete_topic(server: Kafka, name: str) -> None:
    """Delete a topic as an administrator would, and wait until it is gone."""
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap())) as admin:
        admin.delete_topics([name])
    wait_until(lambda: name not in topics(server))


def test_a_topic_that_was_used_and_is_missing_is_never_made_anew(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Neither by the producer that is at work nor by the next connection; then it works again."""
    options, used = plain(kafka, name, client=client), set[str]()
    with closing(Connection(options, used)) as opened:
        assert used == {name}
        opened.publish([an_event(0)])
        delete_topic(kafka, name)
        what_is_wrong(lambda: opened.publish([an_event(1)]), BrokerUnavailable, 40)
    sentence = what_is_wrong(lambda: Connection(options, used), ConfigurationError)
    assert sentence == (
        f"event_broker.topic: '{name}' was used before and is now missing at '{options.url}'; "
        "events are kept and no new topic is made: bring it back, or kafka-topics.sh "
        f"--bootstrap-server {options.url} --create --topic {name}"
    )
    assert name not in topics(kafka)
    make_topic(kafka, name)
    with closing(Connection(options, used)) as again:
        again.publish([an_event(2)])
    assert len(stored(kafka, name, 1)) == 1


def test_a_consumer_that_comes_back_makes_no_topic_anew(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """A publisher would take the new one for the old one, whose events are gone."""
    options, used = plain(kafka, name, client=client), set[str]()
    make_topic(kafka, name)
    with closing(consume(options, "group", False, used)) as received:
        assert next(received) is None
    assert used == {name}
    delete_topic(kafka, name)

    def consume_again() -> None:
        with closing(consume(options, "group", False, used)) as again:
            next(again)

    sentence = what_is_wrong(consume_again, ConfigurationError)
    assert sentence.startswith(f"event_broker.topic: '{name}' was used before and is now missing")
    assert name not in topics(kafka)


def test_a_topic_is_used_only_once_it_was_reached(name: str, client: ClientName) -> None:
    """A connection that never came about remembers nothing."""
    used = set[str]()
    options = KafkaOptions(client=client, url=f"127.0.0.1:{free_port()}", topic=name)
    what_is_wrong(lambda: Connection(options, used), BrokerUnavailable)
    assert used == set()


def test_a_connection_is_used_up_by_an_event_that_the_broker_refuses(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """It says so, and starts nothing by itself: the core is the one that reconnects."""
    events = [an_event(0), an_event(1, size=2_000_000)]
    with connected(plain(kafka, name, client=client)) as opened:
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        assert caught.value.reconnect
        threads = set(threading.enumerate())
        sentence = what_is_wrong(lambda: opened.publish([an_event(2)]), BrokerUnavailable)
        assert sentence == "an event has failed before; a new connection is needed"
        assert set(threading.enumerate()) <= threads


def test_a_connection_lives_on_where_only_the_client_refuses_an_event(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Such an event never left, and nothing has to be made anew."""
    events = [an_event(0), an_event(1, size=limits.MAX_REQUEST_BYTES), an_event(2)]
    with connected(plain(kafka, name, client=client)) as opened:
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        assert not caught.value.reconnect
        assert list(caught.value.reasons) == [events[1].id]
        assert caught.value.confirmed == {events[0].id, events[2].id}
        opened.publish([an_event(3)])
    assert len(stored(kafka, name, 3)) == 3


def test_a_refused_event_is_one_dead_letter_and_the_others_are_delivered(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Through the core, which makes a new connection behind it."""
    with KafkaProducer(client=client, host=kafka.bootstrap(), topic=name) as broker:
        for number in range(100):
            text = "x" * (2_000_000 if number == 30 else 10)
            broker.publish({"sender_id": "s", "number": number, "text": text})
        status = broker.flush(60)
    assert (status.delivered, status.dead_letters, status.pending) == (99, 1, 0)
    numbers = [json.loads(record.value)["number"] for record in stored(kafka, name, 99)]
    assert list(dict.fromkeys(numbers)) == [number for number in range(100) if number != 30]


def publish_all(options: KafkaOptions, events: Sequence[Event]) -> dict[str, str]:
    """Publish as the core does; return the rejected events and why."""
    rejected: dict[str, str] = {}
    waiting = {event.id: event for event in events}
    opened = connect(options)
    while waiting:
        try:
            opened.publish(list(waiting.values()))
        except RejectedEvents as error:
            rejected |= error.reasons
            for event_id in [*error.reasons, *error.confirmed]:
                del waiting[event_id]
            if error.reconnect:
                opened.close()
                opened = connect(options)
        else:
            waiting.clear()
    opened.close()
    return rejected


@pytest.mark.parametrize("size", [2_000_000, limits.MAX_REQUEST_BYTES], ids=["broker", "client"])
def test_events_that_are_too_large_are_rejected_alone(
    kafka: Kafka, name: str, size: int, client: ClientName
) -> None:
    """The others are delivered in order, whether the broker or the client finds it too large."""
    events = [an_event(number, size=size if number == 5 else 10) for number in range(10)]
    rejected = publish_all(plain(kafka, name, client=client), events)
    large = events.pop(5)
    assert rejected == {large.id: f"{len(large.body)} bytes are more than the broker takes"}
    assert [record.value for record in stored(kafka, name, 9)] == [event.body for event in events]


def test_nothing_overtakes_an_event_that_is_refused(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """What the producer held behind the refused event is neither sent nor buried with it."""
    make_topic(kafka, name, **{"max.message.bytes": "5000"})
    events = [an_event(number, size=9000 if number == 20 else 100) for number in range(200)]
    with connected(plain(kafka, name, client=client)) as opened:
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        assert list(caught.value.reasons) == [events[20].id]
        confirmed = [event.body for event in events if event.id in caught.value.confirmed]
        assert confirmed == [event.body for event in events[: len(confirmed)]]
        assert len(confirmed) <= 20
    with connected(plain(kafka, name, client=client)) as again:
        again.publish([an_event(1000)])
    values = [record.value for record in stored(kafka, name, len(confirmed) + 1)]
    assert values[:-1] == confirmed


def test_batches_larger_than_the_topic_takes_are_split(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Only single events can be too large."""
    make_topic(kafka, name, **{"max.message.bytes": "5000"})
    events = [an_event(number, size=100) for number in range(500)]
    assert publish_all(plain(kafka, name, client=client), events) == {}
    assert [record.value for record in stored(kafka, name, 500)] == [e.body for e in events]


def test_an_event_that_the_topic_does_not_take_is_rejected_alone(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """A compacted topic takes no event without a key."""
    make_topic(kafka, name, **{"cleanup.policy": "compact"})
    events = [an_event(0), an_event(1, sender_id=None), an_event(2)]
    rejected = publish_all(plain(kafka, name, client=client), events)
    assert list(rejected) == [events[1].id]
    assert "compacted topic" in rejected[events[1].id]
    assert [record.value for record in stored(kafka, name, 2)] == [events[0].body, events[2].body]


class GuardedKafka(Kafka):
    """Kafka where only those who did not log in may do anything."""

    def _properties(self) -> dict[str, str]:
        return super()._properties() | {
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }


@pytest.fixture(scope="module")
def guarded_kafka(certificates: Certificates) -> Iterator[Kafka]:
    """A Kafka in which the user alice may do nothing, until she is allowed to."""
    with started(GuardedKafka(certificates)) as server:
        yield server


def test_a_user_who_may_not_write_is_told_so(
    guarded_kafka: Kafka, name: str, client: ClientName
) -> None:
    """The sentence says what to grant: for a hidden topic, a readable one, and a right revoked."""
    make_topic(guarded_kafka, name)
    options = KafkaOptions(
        client=client, topic=name, **manner(guarded_kafka, "SASL_PLAINTEXT PLAIN")
    )
    wanted = (
        f"event_broker.topic: '{options.url}' does not let this user write to '{name}'; "
        "grant Describe and Write, and Create if it has to be made"
    )
    assert what_is_wrong(lambda: check(options), ConfigurationError) == wanted
    with rights(guarded_kafka, name, ACLOperation.DESCRIBE):
        assert what_is_wrong(lambda: connect(options), ConfigurationError) == wanted
    with rights(guarded_kafka, name, ACLOperation.WRITE):
        opened = wait_until(lambda: connection_or_none(options))
        assert opened is not None
        opened.publish([an_event(1)])
    wait_until(lambda: connection_or_none(options) is None)
    with closing(opened):
        sentence = what_is_wrong(lambda: opened.publish([an_event(2)]), ConfigurationError)
    assert sentence == wanted


@contextmanager
def rights(server: Kafka, name: str, operation: ACLOperation) -> Iterator[None]:
    """Let the user alice do something with a topic, and no longer."""
    topic = ResourcePattern(ResourceType.TOPIC, name)
    right = ACL("User:alice", "*", operation, ACLPermissionType.ALLOW, topic)
    with closing(KafkaAdminClient(bootstrap_servers=server.bootstrap())) as admin:
        admin.create_acls([right])
        yield
        admin.delete_acls([right])


def connection_or_none(options: KafkaOptions) -> Connection | None:
    """Return a connection, or None while the user may not write."""
    try:
        return connect(options)
    except ConfigurationError:
        return None


def test_a_cluster_that_forbids_idempotence_is_named() -> None:
    """Brokers before Kafka 2.8 want a right of its own for it; the sentence names it."""
    # what kafka-python 3.0.12 makes of error 31 in an InitProducerIdResponse
    text = "Unexpected error in InitProducerIdResponse: [Error 31] ClusterAuthorizationFailedError"
    event = an_event()
    options = KafkaOptions(url="localhost")
    error = translate_failures(
        failures_of({event.id: KafkaError(text)}), [], [event], options, True
    )
    assert type(error) is ConfigurationError
    assert "grant IdempotentWrite on the cluster" in str(error)


def test_an_error_that_names_no_event_buries_none() -> None:
    """When a whole batch is refused with one error, the core has to find out which event it is."""
    events = [an_event(number) for number in range(3)]
    shared = InvalidRecordError("refused")
    errors = {event.id: shared for event in events}
    error = translate_failures(failures_of(errors), [], events, KafkaOptions(url="localhost"), True)
    assert isinstance(error, RejectedEvents)
    assert error.reasons == {}


def test_a_paused_broker_ends_publish_and_connect(
    kafka: Kafka, name: str, monkeypatch: pytest.MonkeyPatch, client: ClientName
) -> None:
    """Neither waits for ever, closing does not either, and afterwards everything works again."""
    monkeypatch.setattr(limits, "DELIVERY_SECONDS", 6.0)
    monkeypatch.setattr(limits, "REQUEST_SECONDS", 4.0)
    opened = connect(plain(kafka, name, client=client))
    opened.publish([an_event(0)])
    kafka.pause()
    sentence = what_is_wrong(lambda: opened.publish([an_event(1)]), BrokerUnavailable)
    assert sentence == f"1 event was not confirmed by {kafka.bootstrap()}: no confirmation in time"
    opened.close()
    sentence = what_is_wrong(lambda: connect(plain(kafka, name, client=client)), BrokerUnavailable)
    assert sentence == f"{kafka.bootstrap()} does not answer"
    kafka.resume()
    with connected(plain(kafka, name, client=client)) as again:
        again.publish([an_event(2)])


def test_publish_gives_up_within_half_a_minute() -> None:
    """What the test above shortens is bounded as promised."""
    assert limits.REQUEST_SECONDS < limits.DELIVERY_SECONDS <= 30.0


def test_closing_releases_threads_and_sockets(kafka: Kafka, name: str, client: ClientName) -> None:
    """A connection leaves nothing behind, and may be closed again."""
    with connected(plain(kafka, name, client=client)) as opened:
        opened.publish([an_event()])
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    opened = connect(plain(kafka, name, client=client))
    opened.publish([an_event()])
    assert all(thread.daemon for thread in set(threading.enumerate()) - threads)
    opened.close()
    opened.close()
    assert set(threading.enumerate()) <= threads
    assert psutil.Process().num_fds() <= files


def test_a_connection_that_failed_leaves_nothing_open(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """A broker that keeps us out is asked for days; no try may cost a socket or a thread."""
    options = KafkaOptions(
        client=client,
        topic=name,
        **manner(kafka, "SSL") | {"ssl_certfile": None, "ssl_keyfile": None},
    )
    what_is_wrong(lambda: connect(options), ConfigurationError)
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    for _ in range(5):
        what_is_wrong(lambda: connect(options), ConfigurationError)
    assert set(threading.enumerate()) <= threads
    assert psutil.Process().num_fds() <= files


def test_a_broker_killed_in_mid_stream_costs_no_event_and_no_order(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """Every event arrives; of each sender, first occurrences are in the order of publishing."""
    count, senders = 20_000, 50
    with KafkaProducer(client=client, host=kafka.bootstrap(), topic=name) as broker:
        for number in range(count):
            broker.publish({"sender_id": f"s{number % senders}", "number": number})
            if number == count // 2:
                wait_until(lambda: broker.status().delivered > 0)
                kafka.kill()
        kafka.restart()
        assert broker.flush(timeout=90).pending == 0
    assert broker.status().delivered == count
    first: dict[bytes, None] = dict.fromkeys(
        record.value for record in stored(kafka, name, count, timeout=60)
    )
    assert len(first) == count
    by_sender: dict[int, list[int]] = {}
    for value in first:
        number = int(value.rpartition(b":")[2].rstrip(b"}"))
        by_sender.setdefault(number % senders, []).append(number)
    assert all(numbers == sorted(numbers) for numbers in by_sender.values())


PROGRAM = """
import sys
from event_brokers_kafka import KafkaProducer

broker = KafkaProducer(host=sys.argv[1], topic=sys.argv[2], client=sys.argv[3])
for number in range(5000):
    broker.publish({"sender_id": str(number % 7), "number": number})
"""


def test_a_program_that_ends_without_close_delivers(
    kafka: Kafka, name: str, client: ClientName
) -> None:
    """kafka-python's own exit handler does not close the producer before the core has drained."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, kafka.bootstrap(), name, client],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert len(stored(kafka, name, 5000)) == 5000
