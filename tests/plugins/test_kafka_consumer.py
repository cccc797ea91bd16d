"""Consuming from Kafka: groups and their positions, killed members, brokers that go and come."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

import psutil
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

import event_brokers
from consuming import in_background, number, until_killed
from event_brokers import ConfigurationError, Consumer, Event, endpoints
from event_brokers_kafka import KafkaOptions
from event_brokers_kafka.client_traits import ClientName
from event_brokers_kafka.connection import Connection
from servers import Kafka
from waiting import wait_until

pytestmark = pytest.mark.xdist_group("kafka")


@pytest.fixture(params=["kafka-python", "librdkafka"])
def client(request: pytest.FixtureRequest) -> ClientName:
    """Return each client in turn."""
    chosen: ClientName = request.param
    return chosen


@pytest.fixture
def section(kafka: Kafka, name: str, client: ClientName) -> dict[str, Any]:
    """Return the section of a topic of this test alone, for each client in turn."""
    return {"type": "kafka", "url": kafka.bootstrap(), "topic": name, "client": client}


def publish(section: dict[str, Any], *numbers: int) -> None:
    """Publish events, each of a conversation of its own."""
    with event_brokers.connect(section) as broker:
        broker.publish_many([{"sender_id": f"s{number}", "n": number} for number in numbers])
        assert broker.flush(60).pending == 0


def committed(section: dict[str, Any], group: str) -> int | None:
    """Return the position of a group in the first partition, as a plain client sees it."""
    plain = KafkaConsumer(
        bootstrap_servers=section["url"], group_id=group, enable_auto_commit=False
    )
    try:
        position: int | None = plain.committed(TopicPartition(section["topic"], 0))
        return position
    finally:
        plain.close()


def test_a_new_group_begins_with_new_events(section: dict[str, Any]) -> None:
    """Its position is committed before anything arrives, so that nothing is skipped later."""
    publish(section, 1, 2)
    with event_brokers.consume(section, group="new") as consumer:
        found = in_background(consumer)
        wait_until(lambda: committed(section, "new") == 2, timeout=40)
        publish(section, 3)
        wait_until(lambda: found == [3])
    with event_brokers.consume(section, group="all", from_start=True) as consumer:
        assert [number(next(consumer)) for _ in range(3)] == [1, 2, 3]


def test_headers_come_back(kafka: Kafka, section: dict[str, Any], client: ClientName) -> None:
    """Those that were given to an event, and those of the core, as text."""
    event = Event.from_dict({"event": "user"}, "the-id", {"x-trace": "trâce"})
    used = set[str]()
    with closing(
        Connection(KafkaOptions(client=client, url=kafka.bootstrap(), topic=section["topic"]), used)
    ) as opened:
        opened.publish([event])
    with event_brokers.consume(section, from_start=True) as consumer:
        received = next(consumer)
    assert received.id == "the-id"
    assert received.headers == {"x-trace": "trâce", "event_id": "the-id", "event_type": "user"}


def test_members_of_a_group_share_the_partitions(kafka: Kafka, section: dict[str, Any]) -> None:
    """Each event goes to one of them."""
    admin = KafkaAdminClient(bootstrap_servers=kafka.bootstrap())
    admin.create_topics([NewTopic(section["topic"], 4, 1)])
    admin.close()
    with (
        event_brokers.consume(section, from_start=True) as one,
        event_brokers.consume(section, from_start=True) as other,
    ):
        found = [in_background(one), in_background(other)]
        publish(section, *range(50))
        wait_until(lambda: sorted(set(found[0] + found[1])) == list(range(50)), timeout=60)


def test_without_a_group_nothing_is_left_behind(section: dict[str, Any]) -> None:
    """What `tail` sees is seen by nobody's leave."""
    publish(section, 1)
    settings = endpoints.read(section)
    with Consumer(settings, None, from_start=True) as consumer:
        assert number(next(consumer)) == 1
    assert committed(section, "event-brokers") is None


@pytest.mark.timeout(180)
def test_a_killed_consumer_loses_nothing(section: dict[str, Any]) -> None:
    """The event in hand comes again, and every other came."""
    publish(section, *range(20))
    seen = until_killed(section, 3) + until_killed(section, 5)
    with event_brokers.consume(section, from_start=True) as consumer:
        while len(set(seen)) < 20:
            seen.append(number(next(consumer)))


def test_a_broker_that_goes_away_and_comes_back_loses_nothing(
    kafka: Kafka, section: dict[str, Any]
) -> None:
    """The consumer goes on by itself."""
    publish(section, 1, 2)
    with event_brokers.consume(section, from_start=True) as consumer:
        found = in_background(consumer)
        wait_until(lambda: found == [1, 2])
        kafka.kill()
        kafka.recover()
        publish(section, 3)
        wait_until(lambda: sorted(set(found)) == [1, 2, 3], timeout=90)


def test_what_is_wrong_is_said_as_to_the_producer(kafka: Kafka, section: dict[str, Any]) -> None:
    """The sentence reaches whoever asks for the first event."""
    wrong = {
        **section, "url": kafka.bootstrap("SASL_PLAINTEXT"), "sasl_username": kafka.username,
        "sasl_password": "wrong",
    }  # fmt: skip
    with (
        event_brokers.consume(wrong) as consumer,
        pytest.raises(ConfigurationError, match=r"event_broker\.sasl_password: .* refuses"),
    ):
        next(consumer)


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SSL", "SASL_SSL"])
def test_events_are_read_by_every_protocol(
    kafka: Kafka, section: dict[str, Any], protocol: str
) -> None:
    """With the options of the producer."""
    own = {**section, "url": kafka.bootstrap(protocol), "security_protocol": protocol}
    if protocol.startswith("SASL"):
        own |= {"sasl_username": kafka.username, "sasl_password": kafka.password}
    if protocol.endswith("SSL"):
        own |= {
            "ssl_cafile": str(kafka.certificates.ca),
            "ssl_certfile": str(kafka.certificates.client_certificate),
            "ssl_keyfile": str(kafka.certificates.client_key),
        }
    publish(own, 1)
    with event_brokers.consume(own, from_start=True) as consumer:
        assert number(next(consumer)) == 1


def test_a_record_that_is_no_event_is_handed_over_as_it_is(section: dict[str, Any]) -> None:
    """With the reason, and once: it is acknowledged as any other."""
    publish(section, 1)
    plain = KafkaProducer(bootstrap_servers=section["url"])
    plain.send(section["topic"], b"no event", headers=[("x", b"\xff")])
    plain.send(section["topic"], None, b"key")
    plain.flush()
    plain.close()
    publish(section, 2)
    with event_brokers.consume(section, from_start=True) as consumer:
        received = [next(consumer) for _ in range(4)]
    assert [each.problem for each in received] == [None, "not JSON", "not JSON", None]
    assert [each.body for each in received[1:3]] == [b"no event", b""]
    assert received[1].origin == f"topic '{section['topic']}', partition 0, offset 1"
    assert (received[1].id, received[1].headers) == (None, {"x": "\ufffd"})


def test_closing_releases_threads_and_sockets(kafka: Kafka, section: dict[str, Any]) -> None:
    """Also where the broker does not answer any more."""
    publish(section, 1)
    with event_brokers.consume(section, from_start=True) as consumer:
        next(consumer)
    threads, files = set(threading.enumerate()), psutil.Process().num_fds()
    consumer = event_brokers.consume(section, from_start=True)
    next(consumer)
    kafka.pause()
    consumer.close()
    kafka.resume()
    wait_until(lambda: set(threading.enumerate()) <= threads)
    assert psutil.Process().num_fds() <= files
