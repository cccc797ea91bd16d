"""Consuming from RabbitMQ: acknowledgements, groups, heartbeats, servers that go and come."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from typing import Any

import pika
import psutil
import pytest

import event_brokers
from consuming import in_background, number, until_killed
from event_brokers import ConfigurationError, Consumer, endpoints
from servers import RabbitMQ
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("rabbitmq")


@pytest.fixture
def section(rabbitmq: RabbitMQ, name: str) -> Iterator[dict[str, Any]]:
    """Return the section of a queue of this test alone."""
    yield {
        "type": "pika", "url": rabbitmq.host, "port": rabbitmq.port,
        "username": rabbitmq.username, "password": rabbitmq.password, "queue": name,
    }  # fmt: skip
    with rabbitmq.connection() as connection:
        connection.channel().queue_delete(name)


@pytest.fixture
def with_exchange(section: dict[str, Any]) -> dict[str, Any]:
    """Return a section whose queue is bound to an exchange."""
    return {**section, "exchange_name": f"{section['queue']}_exchange"}


def publish(section: dict[str, Any], *numbers: int) -> None:
    """Publish events; the queue is there afterwards, also without one."""
    with event_brokers.connect(section) as broker:
        broker.publish_many([{"n": number} for number in numbers])
        wait_until(lambda: broker.flush(60).state == "connected" or numbers)


def waiting(rabbitmq: RabbitMQ, queue: str) -> int:
    """Return how many messages are ready in a queue."""
    with rabbitmq.connection() as connection:
        declared = connection.channel().queue_declare(queue, passive=True)
        return int(declared.method.message_count)


def left(rabbitmq: RabbitMQ, queue: str) -> list[bytes]:
    """Take what is left in a queue with a plain client, and return the bodies."""
    bodies: list[bytes] = []
    with rabbitmq.connection() as connection:
        channel = connection.channel()
        while True:
            _, _, body = channel.basic_get(queue, auto_ack=True)
            if body is None:
                return bodies
            bodies.append(body)


def test_what_was_not_acknowledged_goes_back_in_order(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """The event in hand, and all that was fetched ahead of it; nothing else."""
    publish(section, *range(300))
    with event_brokers.consume(section) as consumer:
        assert [number(next(consumer)) for _ in range(250)] == list(range(250))
    assert left(rabbitmq, section["queue"]) == [b'{"n":%d}' % n for n in range(249, 300)]


def test_an_acknowledgement_does_not_wait_for_the_next_event(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """Who waits for more has told RabbitMQ what is done."""
    publish(section, 1, 2)
    with event_brokers.consume(section) as consumer:
        found = in_background(consumer)
        wait_until(lambda: found == [1, 2])

        def unacknowledged() -> str:
            listed = rabbitmq.control("list_queues", "name", "messages_unacknowledged")
            return next(line for line in listed.splitlines() if section["queue"] in line)

        wait_until(lambda: unacknowledged().split()[-1] == "0")


def test_each_group_gets_every_event(with_exchange: dict[str, Any]) -> None:
    """A group is a durable queue of its name; it is there from its first consumer on."""
    publish(with_exchange)
    group = f"{with_exchange['queue']}_reports"
    with event_brokers.consume(with_exchange, group=group) as reports:
        found = in_background(reports)
        wait_until(lambda: _group_is_there(with_exchange, group))
        publish(with_exchange, 1, 2)
        wait_until(lambda: found == [1, 2])
    publish(with_exchange, 3)
    with event_brokers.consume(with_exchange, group=group) as reports:
        wait_until(lambda: number(next(reports)) == 3)
    with event_brokers.consume(with_exchange) as consumer:
        assert [number(next(consumer)) for _ in range(3)] == [1, 2, 3]


def _group_is_there(section: dict[str, Any], group: str) -> bool:
    parameters = pika.ConnectionParameters(
        section["url"], section["port"],
        credentials=pika.PlainCredentials(section["username"], section["password"]),
    )  # fmt: skip
    with pika.BlockingConnection(parameters) as connection:
        try:
            declared = connection.channel().queue_declare(group, passive=True)
        except pika.exceptions.ChannelClosedByBroker:
            return False
        return int(declared.method.consumer_count) == 1


@pytest.mark.parametrize(
    ("group", "from_start", "sentence"),
    [
        ("reports", False, "a queue without an exchange gives each event to one consumer alone"),
        (None, False, "would take events away from its real consumer; name an exchange"),
        (None, True, "RabbitMQ keeps nothing that was delivered"),
        ("x" * 256, False, "group: is the name of a queue"),
    ],
)
def test_what_rabbitmq_cannot_give_is_said(
    section: dict[str, Any], group: str | None, from_start: bool, sentence: str
) -> None:
    """Before anything is taken from anybody."""
    with (
        Consumer(endpoints.read(section), group, from_start) as consumer,
        pytest.raises(ConfigurationError, match=sentence),
    ):
        next(consumer)


def test_looking_on_takes_nothing_away(rabbitmq: RabbitMQ, with_exchange: dict[str, Any]) -> None:
    """A queue of its own, which ends with it; the real one keeps every event."""
    publish(with_exchange)
    with Consumer(endpoints.read(with_exchange), None, from_start=False) as consumer:
        found = in_background(consumer)
        count = 0
        while not found:
            count += 1
            publish(with_exchange, count)
        assert waiting(rabbitmq, with_exchange["queue"]) == count
    assert "amq.gen" not in rabbitmq.control("list_queues", "name")


def test_who_works_long_on_one_event_stays_connected(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """Heartbeats are answered meanwhile: RabbitMQ ends a connection that misses two of them."""
    publish(section, 1, 2)
    with event_brokers.consume({**section, "heartbeat": 1}) as consumer:
        assert number(next(consumer)) == 1
        before = _connections(rabbitmq)
        threading.Event().wait(5)  # five heartbeats: what is tested is that time passes
        assert _connections(rabbitmq) == before
        assert number(next(consumer)) == 2


def _connections(rabbitmq: RabbitMQ) -> set[str]:
    listed = rabbitmq.control("list_connections", "peer_port", "timeout").splitlines()
    return {line for line in listed if line.split()[-1:] == ["1"]}


@pytest.mark.timeout(120)
def test_a_killed_consumer_loses_nothing(section: dict[str, Any]) -> None:
    """The event in hand comes again, and every other came."""
    publish(section, *range(20))
    seen = until_killed(section, 3) + until_killed(section, 5)
    with event_brokers.consume(section) as consumer:
        while len(set(seen)) < 20:
            seen.append(number(next(consumer)))


def test_a_server_that_goes_away_and_comes_back_loses_nothing(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """The consumer goes on by itself."""
    publish(section, 1, 2)
    with event_brokers.consume(section) as consumer:
        found = in_background(consumer)
        wait_until(lambda: found == [1, 2])
        rabbitmq.kill()
        rabbitmq.recover()
        publish(section, 3)
        wait_until(lambda: sorted(set(found)) == [1, 2, 3], timeout=60)


def test_what_is_wrong_is_said_as_to_the_producer(section: dict[str, Any]) -> None:
    """The sentence reaches whoever asks for the first event."""
    with (
        event_brokers.consume({**section, "password": "wrong"}) as consumer,
        pytest.raises(ConfigurationError, match=r"event_broker\.password: .* refuses the user"),
    ):
        next(consumer)


def test_a_message_that_is_no_event_is_handed_over_as_it_is(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """With the reason, and once: it is acknowledged as any other."""
    publish(section, 1)
    with rabbitmq.connection() as connection:
        connection.channel().basic_publish("", section["queue"], b"no event")
    publish(section, 2)
    with event_brokers.consume(section) as consumer:
        received = [next(consumer) for _ in range(3)]
    assert [each.problem for each in received] == [None, "not JSON", None]
    assert (received[1].body, received[1].id, received[1].headers) == (b"no event", None, {})
    assert received[1].origin == f"queue '{section['queue']}'"
    assert received[0].headers["event_id"] == received[0].id


def test_headers_travel_beside_the_body_and_come_back(
    rabbitmq: RabbitMQ, section: dict[str, Any]
) -> None:
    """As AMQP headers, which any client sees; those that are no text are somebody else's."""
    given = {"traceparent": "00-ab-cd-01", "Straße": "ü"}
    with event_brokers.connect(section) as broker:
        event_id = broker.publish({"event": "user"}, headers=given)
        broker.flush(60)
    wanted = {**given, "event_id": event_id, "event_type": "user"}
    with rabbitmq.connection() as connection:
        channel = connection.channel()
        _, properties, body = channel.basic_get(section["queue"], auto_ack=True)
        assert (properties.headers, body) == (wanted, b'{"event":"user"}')
        properties.headers["count"] = 3
        channel.basic_publish("", section["queue"], body, properties)
    with event_brokers.consume(section) as consumer:
        assert next(consumer).headers == wanted


@pytest.mark.parametrize("state", ["consumes", "is kept out"])
def test_no_log_shows_a_secret_or_a_body(
    section: dict[str, Any], state: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Not at DEBUG, not by pika's own loggers, with events in hand, under way and left behind."""
    caplog.set_level(logging.DEBUG)
    with event_brokers.connect(section) as broker:
        broker.publish_many({"text": "canary-body", "n": n} for n in range(500))
        broker.flush(60)
    if state == "consumes":
        with event_brokers.consume(section) as consumer:
            assert [number(next(consumer)) for _ in range(210)] == list(range(210))
    else:
        with (
            event_brokers.consume({**section, "password": "canary-password"}) as consumer,
            pytest.raises(ConfigurationError),
        ):
            next(consumer)
    assert {record.name.partition(".")[0] for record in caplog.records} >= {"pika"}
    assert min(record.levelno for record in caplog.records) == logging.DEBUG
    assert "canary-" not in caplog.text
    assert section["password"] not in caplog.text


def test_closing_releases_threads_and_sockets(rabbitmq: RabbitMQ, section: dict[str, Any]) -> None:
    """Also where the server does not answer any more."""
    publish(section, 1)
    with event_brokers.consume(section) as consumer:
        next(consumer)
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    consumer = event_brokers.consume(section)
    next(consumer)
    rabbitmq.pause()
    consumer.close()
    rabbitmq.resume()
    wait_until(lambda: set(threading.enumerate()) <= threads)
    assert psutil.Process().num_fds() <= files
