"""The pika plugin against a real RabbitMQ, read back with pika's own BlockingConnection."""

from __future__ import annotations

import logging
import os
import select
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pika
import psutil
import pytest

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    EventBrokersError,
    RejectedEvents,
    Secret,
    SecretUrl,
    UndeliveredEvents,
)
from event_brokers_pika import PikaOptions, PikaProducer, connection
from event_brokers_pika.hooks import check
from pika_plugin import (
    an_event,
    bodies,
    channel,
    connect,
    connected,
    exists,
    ids,
    open_connection,
    plain,
    producer,
    refusals,
    secure,
    stored,
    what_is_wrong,
)
from servers import RabbitMQ, free_port
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("rabbitmq")

PERSISTENT = 2
QUEUE_DECLARE = b"\x00\x32\x00\x0a"  # class and method, AMQP 0-9-1, section 1.7.2.1


@pytest.fixture
def name() -> str:
    """Return the name of a queue that nobody else uses."""
    return f"queue-{uuid4()}"


def test_an_event_arrives_with_its_properties_and_exactly_its_body(
    rabbitmq: RabbitMQ, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The body is the caller's dictionary and nothing else; the rest travels beside it."""
    monkeypatch.setenv("RASA_ENVIRONMENT", "production")
    event = Event.from_dict(
        {"sender_id": "ünï", "event": "bot", "timestamp": 1528402837.617099, "text": "hé"},
        event_id="the-id",
    )
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([event])
    [(method, properties, body)] = stored(rabbitmq, name, 1)
    assert body == event.body
    assert (method.exchange, method.routing_key) == ("", name)
    assert vars(properties) == {
        **vars(pika.BasicProperties()),
        "content_type": "application/json",
        "message_id": "the-id",
        "type": "bot",
        "timestamp": 1528402837,
        "app_id": "production",
        "delivery_mode": PERSISTENT,
        "headers": {"event_id": "the-id", "event_type": "bot"},
    }


def test_an_event_that_names_nothing_has_an_id_and_no_more(
    rabbitmq: RabbitMQ, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither sender_id, event nor timestamp is required."""
    monkeypatch.delenv("RASA_ENVIRONMENT", raising=False)
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([Event.from_dict({}, event_id="the-id")])
    [(_method, properties, body)] = stored(rabbitmq, name, 1)
    assert body == b"{}"
    assert (properties.message_id, properties.headers) == ("the-id", {"event_id": "the-id"})
    assert (properties.type, properties.timestamp, properties.app_id) == (None, None, None)


def test_several_queues_get_every_event_through_rasas_exchange(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """The exchange is a durable fanout exchange, bound with an empty key."""
    queues = [f"{name}-1", f"{name}-2"]
    events = [an_event(number) for number in range(10)]
    with connected(plain(rabbitmq, queues)) as opened:
        opened.publish(events)
    for queue in queues:
        messages = stored(rabbitmq, queue, 10)
        assert bodies(messages) == [event.body for event in events]
        assert {method.exchange for method, _, _ in messages} == {"rasa-exchange"}
        assert ["rasa-exchange", queue] in bindings(rabbitmq)
    assert "rasa-exchange\tfanout\ttrue" in rabbitmq.control(
        "list_exchanges", "name", "type", "durable"
    )


def bindings(server: RabbitMQ) -> list[list[str]]:
    """Return source and destination of every binding with an empty key."""
    columns = ("source_name", "destination_name", "routing_key")
    lines = server.control("list_bindings", *columns).splitlines()
    return [line.split("\t")[:2] for line in lines if line.endswith("\t")]


def test_one_queue_behind_an_exchange_that_is_named(rabbitmq: RabbitMQ, name: str) -> None:
    """Whoever names the exchange gets it, so that others can bind to it, too."""
    with connected(plain(rabbitmq, name, exchange_name=f"{name}-x")) as opened:
        opened.publish([an_event()])
    [(method, _properties, _body)] = stored(rabbitmq, name, 1)
    assert method.exchange == f"{name}-x"


@pytest.mark.parametrize(
    "declared",
    [
        {"durable": True, "arguments": {"x-message-ttl": 3_600_000}},
        {"durable": True, "arguments": {"x-queue-type": "quorum"}},
        {"durable": True, "arguments": {"x-max-length": 100, "x-queue-mode": "lazy"}},
        {"durable": False},
        {"durable": False, "auto_delete": True},
    ],
    ids=["ttl", "quorum", "lazy", "transient", "auto-delete"],
)
def test_a_queue_that_exists_is_used_as_it_is(
    rabbitmq: RabbitMQ, name: str, declared: dict[str, Any]
) -> None:
    """Whoever made it has decided how it is, also with several queues and an exchange."""
    with channel(rabbitmq) as made:
        made.queue_declare(name, **declared)
    for options in (
        plain(rabbitmq, name),
        plain(rabbitmq, [name, f"{name}-2"], exchange_name=f"{name}-x"),
    ):
        with connected(options) as opened:
            opened.publish([an_event()])
        assert len(stored(rabbitmq, name, 1)) == 1


def test_what_rasa_made_is_used_as_it_is(rabbitmq: RabbitMQ, name: str) -> None:
    """Rasa's exchange does not survive a restart of RabbitMQ, and is no mismatch for that."""
    exchange = f"{name}-x"
    with channel(rabbitmq) as rasa:
        rasa.exchange_declare(exchange, "fanout")
        rasa.queue_declare(name, durable=True)
        rasa.queue_bind(name, exchange, "")
    with connected(plain(rabbitmq, name, exchange_name=exchange)) as opened:
        opened.publish([an_event()])
    assert len(stored(rabbitmq, name, 1)) == 1
    with channel(rabbitmq) as rasa:
        rasa.exchange_declare(exchange, "fanout")
        rasa.queue_declare(name, durable=True)


@pytest.mark.parametrize("kind", ["direct", "topic", "headers"])
def test_an_exchange_of_another_type_is_refused_in_words(
    rabbitmq: RabbitMQ, name: str, kind: str
) -> None:
    """Nothing is bound to it; its consumers expect other keys."""
    with channel(rabbitmq) as made:
        made.exchange_declare(name, kind)
    options = plain(rabbitmq, name, exchange_name=name)
    wanted = (
        f"event_broker.exchange_name: '{name}' is a {kind} exchange; "
        "name a fanout exchange, or one that does not exist yet"
    )
    assert what_is_wrong(lambda: connect(options), ConfigurationError) == wanted
    assert what_is_wrong(lambda: check(options), ConfigurationError) == wanted
    assert [name, name] not in bindings(rabbitmq)


def test_a_queue_of_another_connection_alone_is_refused_in_words(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """An exclusive queue ends with its owner, so nothing is sent there."""
    with channel(rabbitmq) as owner:
        owner.queue_declare(name, exclusive=True)
        sentence = what_is_wrong(lambda: connect(plain(rabbitmq, name)), ConfigurationError)
    assert sentence.startswith("event_broker.queue: belongs to another connection (")


@pytest.mark.parametrize("option", ["queue", "exchange_name"])
def test_a_reserved_name_is_refused_in_words(rabbitmq: RabbitMQ, name: str, option: str) -> None:
    """RabbitMQ keeps names that begin with amq. for itself."""
    options = plain(rabbitmq, name, **{option: "amq.mine"})
    sentence = what_is_wrong(lambda: connect(options), ConfigurationError)
    assert sentence.startswith(f"event_broker.{option}: '127.0.0.1:{rabbitmq.port}' refuses it (")
    assert "reserved prefix" in sentence
    assert sentence.endswith("; name another")


@pytest.fixture
def bob(rabbitmq: RabbitMQ) -> Iterator[dict[str, Any]]:
    """Return the login of a user who may do nothing yet."""
    rabbitmq.control("add_user", "bob", "bob-canary")
    yield {"username": "bob", "password": Secret("bob-canary")}
    rabbitmq.control("delete_user", "bob")


def test_a_user_without_a_right_is_told_what_to_grant(
    rabbitmq: RabbitMQ, name: str, bob: dict[str, Any]
) -> None:
    """Each right that is missing has its sentence, one after the other; then it works."""

    def refused(wanted: str, options: PikaOptions) -> None:
        def deliver() -> None:
            with connected(options) as opened:
                opened.publish([an_event()])

        assert what_is_wrong(deliver, ConfigurationError) == wanted

    def grant(configure: str = "", write: str = "", read: str = "") -> None:
        rabbitmq.control("set_permissions", "bob", configure, write, read)

    server, exchange = f"127.0.0.1:{rabbitmq.port}", f"{name}-x"
    one, several = (
        plain(rabbitmq, name, **bob),
        plain(rabbitmq, name, exchange_name=exchange, **bob),
    )
    refused(
        f"event_broker.virtual_host: '{server}' does not let the user 'bob' into '/'; "
        "grant it with rabbitmqctl set_permissions",
        one,
    )
    may_not = f"event_broker.username: '{server}' does not let the user 'bob' use "
    how = "on it with rabbitmqctl set_permissions"
    grant()
    refused(f"{may_not}queue '{name}'; grant configure and write {how}", one)
    grant(name)
    refused(f"{may_not}exchange 'amq.default'; grant write {how}", one)
    grant(f"^{name}$", ".*")
    refused(f"{may_not}exchange '{exchange}'; grant configure, read and write {how}", several)
    grant(name, ".*")
    refused(f"{may_not}exchange '{exchange}'; grant configure, read and write {how}", several)
    with connected(plain(rabbitmq, name, exchange_name=exchange)):
        pass
    # what the README's table asks for, where everything exists already, and no more
    for options, rights in ((one, ("", "amq.default")), (several, ("", name, exchange))):
        grant(*rights)
        with connected(options) as opened:
            opened.publish([an_event(1)])
    assert len(stored(rabbitmq, name, 2)) == 2


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "password": (
        {"password": Secret("canary")},
        ("event_broker.password: '{}' refuses the user 'rasa'; check username and password"),
    ),
    "user": (
        {"username": "nobody"},
        ("event_broker.password: '{}' refuses the user 'nobody'; check username and password"),
    ),
    "virtual host": (
        {"virtual_host": "nowhere"},
        (
            "event_broker.virtual_host: '{}' has no 'nowhere'; "
            "make it with rabbitmqctl add_vhost, or name another"
        ),
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_what_a_person_must_change_is_said_within_seconds(
    rabbitmq: RabbitMQ, name: str, wrong: str
) -> None:
    """Each mistake has its own sentence, in `connect` as in `check`, and it shows no secret."""
    change, sentence = WRONG[wrong]
    options = plain(rabbitmq, name, **change)
    wanted = sentence.format(f"127.0.0.1:{rabbitmq.port}")
    assert refusals(options) == {wanted}


def test_a_full_virtual_host_is_no_mistake_of_the_configuration(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """A limit of connections passes by itself when others end."""
    rabbitmq.control("set_vhost_limits", '{"max-connections": 0}')
    try:
        sentence = what_is_wrong(lambda: connect(plain(rabbitmq, name)), BrokerUnavailable)
    finally:
        rabbitmq.control("clear_vhost_limits")
    assert "connection limit (0) is reached" in sentence


def test_a_refused_port_and_an_unknown_host_are_told_apart(name: str) -> None:
    """Both may pass by themselves, so neither is a mistake of the configuration."""
    port = free_port()
    refused = PikaOptions(url=SecretUrl(f"127.0.0.1:{port}"), queue=name)
    assert what_is_wrong(lambda: check(refused), BrokerUnavailable) == (
        f"127.0.0.1:{port} refused the connection"
    )
    unknown = PikaOptions(url=SecretUrl("broker.invalid"), queue=name)
    assert what_is_wrong(lambda: check(unknown), BrokerUnavailable) == (
        "no address found for host 'broker.invalid'"
    )


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_a_server_that_is_not_rabbitmq_is_called_so(name: str, answer: bytes) -> None:
    """A web server on the port, or one that hangs up, has its sentence."""
    with a_listener(Answer, answer) as port:
        options = PikaOptions(url=SecretUrl(f"127.0.0.1:{port}"), queue=name)
        assert what_is_wrong(lambda: check(options), BrokerUnavailable) == (
            f"127.0.0.1:{port} does not greet as RabbitMQ does; check host and port"
        )


class Answer(socketserver.BaseRequestHandler):
    """Answers with the bytes that the listener was given."""

    def handle(self) -> None:
        self.request.recv(1024)
        self.request.sendall(self.server.given)  # type: ignore[attr-defined]


class FallSilent(socketserver.BaseRequestHandler):
    """Relays to the port that the listener was given, and nothing more once a queue is declared."""

    def handle(self) -> None:
        given = ("127.0.0.1", self.server.given)  # type: ignore[attr-defined]
        with socket.create_connection(given) as server:
            ends = {self.request: server, server: self.request}
            content = b"\0"
            while content and QUEUE_DECLARE not in content:
                [source, *_], _, _ = select.select(list(ends), [], [])
                content = source.recv(65_536)
                ends[source].sendall(content)
            while self.request.recv(65_536):
                pass


@contextmanager
def a_listener(handler: type[socketserver.BaseRequestHandler], given: bytes | int) -> Iterator[int]:
    """Listen on a port, and hand every connection to the handler."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.given = given  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_check_says_what_it_found_and_makes_nothing(rabbitmq: RabbitMQ, name: str) -> None:
    """Queues and an exchange that are missing are still missing afterwards."""
    options = secure(rabbitmq, name)
    place = f"127.0.0.1:{rabbitmq.tls_port}"
    assert check(options) == [
        f"connected to {place} as 'rasa', virtual host '/', TLS with hostname check",
        f"queue '{name}' is missing; it is made at the first connect",
        (
            f"events go to queue '{name}' alone, through the default exchange; Rasa 3 passes over "
            "'queue', its default is exchange 'rasa-exchange' and queue 'rasa_core_events'"
        ),
    ]
    several = plain(rabbitmq, queues=[name, f"{name}-2"], exchange_name=f"{name}-x")
    where_to = (
        f"events go to exchange '{name}-x', and from there to every bound queue, as with Rasa 3"
    )
    assert check(several) == [
        f"connected to 127.0.0.1:{rabbitmq.port} as 'rasa', virtual host '/', without TLS",
        f"queue '{name}' is missing; it is made at the first connect",
        f"queue '{name}-2' is missing; it is made at the first connect",
        f"exchange '{name}-x' is missing; it is made at the first connect",
        where_to,
    ]
    assert not exists(rabbitmq, "queue", name)
    assert not exists(rabbitmq, "exchange", f"{name}-x")
    with connected(several):
        pass
    assert check(several)[1:] == [
        f"queue '{name}' found",
        f"queue '{name}-2' found",
        f"exchange '{name}-x' found",
        where_to,
    ]


def test_connect_makes_the_queue(rabbitmq: RabbitMQ, name: str) -> None:
    """A consumer finds the queue before the first event, and it survives a restart."""
    with connected(plain(rabbitmq, name)):
        assert f"{name}\ttrue" in rabbitmq.control("list_queues", "name", "durable")


def test_a_queue_that_is_full_gets_the_events_once_there_is_room(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """A nack is not a delivery: the event is kept, and sent again until it is taken."""
    with channel(rabbitmq) as made:
        made.queue_declare(
            name,
            durable=True,
            arguments={"x-max-length": 1, "x-overflow": "reject-publish"},
        )
    with producer(rabbitmq, name) as broker:
        published = broker.publish_many([{"number": number} for number in range(4)])
        error = str(wait_until(lambda: broker.status().last_error))
        assert error.endswith(" (nack); the queue may have reached its max-length")
        assert broker.status().pending
        arrived: set[str] = set()
        while arrived != set(published):
            arrived.update(ids(stored(rabbitmq, name, 1)))
        assert broker.flush(60).delivered == 4
    assert broker.dead_letters() == []


def test_returned_events_are_counted_in_the_sentence(rabbitmq: RabbitMQ, name: str) -> None:
    """RabbitMQ confirms what it returns, too; that is no delivery."""
    with connected(plain(rabbitmq, name)) as opened:
        # a connection begins with one event at a time
        opened.publish([an_event(number) for number in range(60)])
        with channel(rabbitmq) as other:
            other.queue_delete(name)
        with pytest.raises(BrokerUnavailable) as caught:
            opened.publish([an_event(0), an_event(1)])
    assert str(caught.value) == "RabbitMQ returned 2 events: NO_ROUTE"
    assert caught.value.confirmed == frozenset()


@contextmanager
def memory_alarm(server: RabbitMQ) -> Iterator[None]:
    """Let RabbitMQ find that it has no memory left."""
    server.control("set_vm_memory_high_watermark", "0")
    try:
        yield
    finally:
        server.control("set_vm_memory_high_watermark", "0.4")


def test_events_wait_for_the_end_of_a_memory_alarm(
    rabbitmq: RabbitMQ, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """publish() does not wait, delivery waits on the connection it has, and goes on by itself."""
    with producer(rabbitmq, name) as broker:
        broker.publish({"number": 0})
        assert broker.flush(30).delivered == 1
        with memory_alarm(rabbitmq):
            for number in range(1, 100):
                broker.publish({"number": number})
            wait_until(lambda: "blocks publishers, by a memory or disk alarm" in caplog.text)
            assert broker.status().delivered == 1
        assert broker.flush(60).delivered == 100
        wait_until(lambda: "takes events again" in caplog.text)
    # each once: nothing was sent again while RabbitMQ held the first attempt back
    assert len(stored(rabbitmq, name, 100)) == 100
    assert rabbitmq.control("list_queues", "name", "messages").count(f"{name}\t0") == 1


def test_an_alarm_longer_than_the_timeout_is_said(
    rabbitmq: RabbitMQ, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`blocked_connection_timeout` bounds the wait, and what is said about silence does not."""
    monkeypatch.setattr(connection, "_STALLED_SECONDS", 1.0)
    with connected(plain(rabbitmq, name, blocked_connection_timeout=4.0)) as opened:
        with memory_alarm(rabbitmq):
            sentence = what_is_wrong(lambda: opened.publish([an_event()]), BrokerUnavailable)
        assert sentence == "RabbitMQ blocks publishers, by a memory or disk alarm"


def test_an_idle_connection_answers_heartbeats(rabbitmq: RabbitMQ, name: str) -> None:
    """A bot that was silent for many heartbeats publishes at once, on the same connection."""

    def ours() -> tuple[str, int]:
        [line] = rabbitmq.control("list_connections", "pid", "recv_cnt").splitlines()[-1:]
        pid, packets = line.split("\t")
        return pid, int(packets)

    with connected(plain(rabbitmq, name, heartbeat=1)) as opened:
        pid, packets = ours()
        wait_until(lambda: ours()[1] >= packets + 6, timeout=60)
        opened.publish([an_event()])
        assert ours()[0] == pid


def test_a_server_frozen_for_longer_than_the_heartbeat_gets_every_event(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """The connection is given up, and made again when the server answers."""
    with producer(rabbitmq, name, heartbeat=1) as broker:
        published = [broker.publish({"number": 0})]
        assert broker.flush(30).delivered == 1
        rabbitmq.pause()
        published += [broker.publish({"number": number}) for number in range(1, 100)]
        wait_until(lambda: broker.status().state == "retrying", timeout=30)
        assert broker.status().last_error == f"127.0.0.1:{rabbitmq.port} does not answer"
        rabbitmq.resume()
        assert broker.flush(60).delivered == 100
    assert ids(stored(rabbitmq, name, 100)) == published


def test_a_server_that_falls_silent_amid_connecting_is_given_up(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """An answer that never comes ends `connect`, also where heartbeats are turned off."""
    with a_listener(FallSilent, rabbitmq.port) as port:
        options = plain(rabbitmq, name, port=port, heartbeat=0)
        sentence = what_is_wrong(lambda: connect(options), BrokerUnavailable, seconds=25.0)
    assert sentence == f"127.0.0.1:{port} does not answer"


@pytest.fixture
def small_messages(rabbitmq: RabbitMQ) -> Iterator[int]:
    """Let RabbitMQ take no message above a size, and return the size in bytes."""

    def limit(size: int) -> None:
        rabbitmq.control("eval", f"application:set_env(rabbit, max_message_size, {size}).")

    limit(10_000)
    yield 10_000
    limit(134_217_728)


def test_an_event_that_is_too_large_is_rejected_alone(
    rabbitmq: RabbitMQ, name: str, small_messages: int
) -> None:
    """RabbitMQ closes the channel over it; the others go on, on the same connection."""
    events = [an_event(number, small_messages if number in (3, 6) else 10) for number in range(10)]
    large = [events[3], events[6]]
    with connected(plain(rabbitmq, name)) as opened:
        with pytest.raises(RejectedEvents) as caught:
            opened.publish(events)
        assert caught.value.reasons == {
            event.id: f"{len(event.body)} bytes are more than the 10000 that RabbitMQ takes"
            for event in large
        }
        left = [event for event in events if event not in large]
        opened.publish([event for event in left if event.id not in caught.value.confirmed])
    assert set(bodies(stored(rabbitmq, name, 8))) == {event.body for event in left}


def test_an_event_whose_type_is_too_long_for_a_frame_stops_no_other(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """RabbitMQ closes the connection over it, without saying which event it is."""
    with producer(rabbitmq, name) as broker:
        events = [{"n": n, "event": "x" * (200_000 if n == 7 else 5)} for n in range(20)]
        published = broker.publish_many(events)
        status = broker.flush(60)
        assert (status.delivered, status.dead_letters) == (19, 1)
        [letter] = broker.dead_letters()
        assert letter.event.id == published.pop(7)
        assert letter.reason == "type and headers are more than fits into a frame of RabbitMQ"
    assert set(ids(stored(rabbitmq, name, 19))) == set(published)


def test_the_core_buries_only_what_is_too_large(
    rabbitmq: RabbitMQ, name: str, small_messages: int
) -> None:
    """Every other event arrives, and none of them is a dead letter."""
    with producer(rabbitmq, name) as broker:
        events = [{"number": n, "text": "x" * (small_messages if n == 7 else 5)} for n in range(50)]
        published = broker.publish_many(events)
        status = broker.flush(60)
        assert (status.delivered, status.dead_letters) == (49, 1)
        assert [letter.event.id for letter in broker.dead_letters()] == [published.pop(7)]
    assert set(ids(stored(rabbitmq, name, 49))) == set(published)


def test_closing_releases_threads_and_sockets(rabbitmq: RabbitMQ, name: str) -> None:
    """A connection leaves nothing behind, and may be closed again."""
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([an_event()])
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    opened = connect(plain(rabbitmq, name))
    opened.publish([an_event()])
    assert all(thread.daemon for thread in set(threading.enumerate()) - threads)
    opened.close()
    assert set(threading.enumerate()) <= threads
    assert psutil.Process().num_fds() <= files


def test_closing_is_not_held_up_by_a_server_that_does_not_answer(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """A frozen server costs some seconds, and neither a thread nor a socket."""
    with connected(plain(rabbitmq, name)):
        pass
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    opened = connect(plain(rabbitmq, name))
    rabbitmq.pause()
    opened.close()
    rabbitmq.resume()
    assert set(threading.enumerate()) <= threads
    assert psutil.Process().num_fds() <= files


@pytest.mark.parametrize(
    "change",
    [{"password": Secret("wrong")}, {"port": 1}, {"virtual_host": "nowhere"}],
    ids=["password", "port", "virtual host"],
)
def test_a_connection_that_failed_leaves_nothing_open(
    rabbitmq: RabbitMQ, name: str, change: dict[str, Any]
) -> None:
    """A broker that keeps us out is asked for days; no try may cost a socket or a thread."""
    options = plain(rabbitmq, name, **change)
    for attempt in (connect, open_connection):
        with pytest.raises(EventBrokersError):
            attempt(options)
        threads, files = set(threading.enumerate()), psutil.Process().num_fds()
        for _ in range(3):
            with pytest.raises(EventBrokersError):
                attempt(options)
        assert set(threading.enumerate()) <= threads
        assert psutil.Process().num_fds() <= files


def test_connections_closed_by_an_administrator_are_made_again(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """In mid-stream and while idle: everything arrives, first occurrences in order."""
    count = 5_000
    with producer(rabbitmq, name) as broker:
        published = []
        for number in range(count):
            published.append(broker.publish({"sender_id": "s", "number": number}))
            if number == count // 2:
                wait_until(lambda: broker.status().delivered)
                rabbitmq.control("close_all_connections", "maintenance")
        assert broker.flush(60).delivered == count
        rabbitmq.control("close_all_connections", "maintenance")
        published.append(broker.publish({"sender_id": "s", "number": count}))
        assert broker.flush(60).delivered == count + 1
    arrived: dict[str, None] = {}
    with channel(rabbitmq) as opened:
        while len(arrived) <= count:
            method, properties, _body = opened.basic_get(name, auto_ack=True)
            assert method is not None, f"{len(arrived)} of {count + 1} arrived"
            arrived[properties.message_id] = None
    assert list(arrived) == published


def test_the_class_of_the_original_documentation_delivers(rabbitmq: RabbitMQ, name: str) -> None:
    """`PikaProducer(url, username, password, queue=...)` is an EventBroker."""
    with PikaProducer(
        f"{rabbitmq.host}:{rabbitmq.port}", rabbitmq.username, rabbitmq.password, queue=name
    ) as broker:
        broker.publish({"sender_id": "s", "event": "user"})
    assert broker.status().delivered == 1
    assert len(stored(rabbitmq, name, 1)) == 1


@pytest.fixture
def canary(rabbitmq: RabbitMQ) -> Iterator[None]:
    """Let there be a user `canary` whose password is `canary-password`."""
    rabbitmq.control("add_user", "canary", "canary-password")
    rabbitmq.control("set_permissions", "canary", ".*", ".*", ".*")
    yield
    rabbitmq.control("delete_user", "canary")


@pytest.mark.usefixtures("canary")
@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("amqp://canary:canary-password@127.0.0.1:{port}", "connected"),
        ("amqp://canary:canary-password-wrong@127.0.0.1:{port}", "halted"),
        ("amqp://canary:canary-password@127.0.0.1:{port}/nowhere", "halted"),
        ("amqps://canary:canary-password@localhost:{tls_port}", "halted"),
        ("amqp://canary:canary-password@127.0.0.1:1", "retrying"),
    ],
)
def test_no_log_shows_a_secret_or_a_body(
    rabbitmq: RabbitMQ,
    name: str,
    caplog: pytest.LogCaptureFixture,
    url: str,
    state: str,
) -> None:
    """Not at DEBUG, not by pika's own loggers, whether it works or fails."""
    caplog.set_level(logging.DEBUG)
    url = url.format(port=rabbitmq.port, tls_port=rabbitmq.tls_port)
    broker = PikaProducer(url, queue=name)
    wait_until(lambda: broker.status().state == state)
    broker.publish({"text": "canary-body"})
    if state == "connected":
        broker.flush(30)
        with channel(rabbitmq) as other:
            other.queue_delete(name)
            broker.publish({"text": "canary-body"})
            wait_until(lambda: broker.status().state == "halted")
            other.queue_declare(name, durable=True)
        assert broker.close(60).delivered == 2
    else:
        with pytest.raises(UndeliveredEvents) as caught:
            broker.close(timeout=0)
        assert "canary-" not in str(caught.value)
    assert "canary-" not in f"{broker.status()!r} {broker!r} {broker._settings!r}"
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"event_brokers", "pika"}
    assert "canary-" not in caplog.text


PROGRAM = """
import sys
from event_brokers_pika import PikaProducer

broker = PikaProducer(sys.argv[1], queue=sys.argv[2])
for number in range(5000):
    broker.publish({"sender_id": str(number % 7), "number": number})
"""


def test_a_program_that_ends_without_close_delivers(rabbitmq: RabbitMQ, name: str) -> None:
    """The connection's thread goes on until the core has drained."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, rabbitmq.url, name],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    with channel(rabbitmq) as opened:
        assert opened.queue_declare(name, passive=True).method.message_count == 5000
