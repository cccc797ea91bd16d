"""RabbitMQ refuses events for the moment, and no conversation overtakes itself for that."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest

from amqp_relay import NoAnswerBefore, RoomAtEachRefusal, relayed
from event_brokers import Event
from event_brokers_pika import PikaProducer
from pika_plugin import channel, connected, plain
from servers import RabbitMQ

pytestmark = pytest.mark.xdist_group("rabbitmq")

SENDERS = ("a", "b", "c")
PROVED = 200  # more events than a connection begins with one at a time


@pytest.fixture
def name() -> str:
    """Return the name of a queue that nobody else uses."""
    return f"queue-{uuid4()}"


def some_events(count: int, senders: tuple[str, ...] = SENDERS) -> list[dict[str, Any]]:
    """Return numbered events of some conversations, which take turns."""
    return [
        {"sender_id": senders[number % len(senders)], "event": "user", "number": number}
        for number in range(count)
    ]


class Reader:
    """Takes everything out of a queue, whenever it is told to.

    Attributes:
        read: the events, in the order in which the queue had them.
    """

    def __init__(self, server: RabbitMQ, name: str) -> None:
        self.read: list[dict[str, Any]] = []
        self._server, self._name = server, name

    def empty(self) -> None:
        """Take what is there now."""
        with channel(self._server) as opened:
            while (message := opened.basic_get(self._name, auto_ack=True))[0] is not None:
                self.read.append(json.loads(message[2]))

    def conversations(self) -> dict[str, list[int]]:
        """Return the numbers of what was read of each conversation, each once."""
        found: dict[str, list[int]] = defaultdict(list)
        for event in self.read:
            if event["number"] not in found[event["sender_id"]]:
                found[event["sender_id"]].append(event["number"])
        return dict(found)


def make_queue(server: RabbitMQ, name: str, length: int, filled: int = 0) -> None:
    """Make a queue that refuses what is more than its length; fill it with another's messages."""
    arguments = {"x-max-length": length, "x-overflow": "reject-publish"}
    with channel(server) as opened:
        opened.queue_declare(name, durable=True, arguments=arguments)
        opened.confirm_delivery()
        for _ in range(filled):
            opened.basic_publish("", name, b'{"sender_id": "other", "number": 0}')


@contextmanager
def producer_behind(
    relay: RoomAtEachRefusal, server: RabbitMQ, name: str, **given: Any
) -> Iterator[PikaProducer]:
    """Hand out an EventBroker whose events pass by a relay."""
    login = ("127.0.0.1", server.username, server.password)
    with (
        relayed(relay, server.port) as port,
        PikaProducer(*login, port=port, queue=name, **given) as broker,
    ):
        yield broker


@pytest.mark.parametrize(
    ("length", "filled"),
    [(1, 1), (20, 20), (PROVED, PROVED)],
    ids=["room for one", "room for some", "refused early, and again when much was taken"],
)
def test_room_that_appears_behind_a_refusal_lets_no_event_overtake_its_conversation(
    rabbitmq: RabbitMQ, name: str, length: int, filled: int
) -> None:
    """The queue is full when the connection is new; nothing is lost, and nobody overtakes."""
    make_queue(rabbitmq, name, length, filled)
    reader = Reader(rabbitmq, name)
    events = some_events(min(3 * length, 2 * PROVED) + 7)
    with producer_behind(RoomAtEachRefusal(reader.empty), rabbitmq, name) as broker:
        broker.publish_many(events)
        assert broker.flush(60).delivered == len(events)
    reader.empty()
    found = reader.conversations()
    assert {sender: found[sender] for sender in SENDERS} == in_order(events)


@pytest.mark.parametrize("exists", [False, True], ids=["made here", "there already"])
def test_a_queue_that_is_said_to_refuse_lets_nobody_overtake_at_its_first_refusal(
    rabbitmq: RabbitMQ, name: str, exists: bool
) -> None:
    """`queue_arguments` say so before the first nack can, however much was confirmed before."""
    arguments = {"x-max-length": PROVED, "x-overflow": "reject-publish"}
    if exists:
        make_queue(rabbitmq, name, PROVED)
        del arguments["x-max-length"]
    reader = Reader(rabbitmq, name)
    events = some_events(2 * PROVED + 7)
    relay = RoomAtEachRefusal(reader.empty)
    with producer_behind(relay, rabbitmq, name, queue_arguments=arguments) as broker:
        broker.publish_many(events)
        assert broker.flush(60).delivered == len(events)
    reader.empty()
    assert reader.conversations() == in_order(events)


def test_where_nothing_was_refused_the_whole_batch_is_under_way_at_once(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """One conversation is no slower than many: none of its events waits for a confirm."""
    relay = NoAnswerBefore()
    events = some_events(PROVED + 1000, ("a",))
    with (
        relayed(relay, rabbitmq.port) as port,
        connected(plain(rabbitmq, name, port=port)) as opened,
    ):
        opened.publish([Event.from_dict(event) for event in events[:PROVED]])
        relay.expect(len(events) - PROVED)
        opened.publish([Event.from_dict(event) for event in events[PROVED:]])
    reader = Reader(rabbitmq, name)
    reader.empty()
    assert reader.read == events


def test_a_new_connection_keeps_the_order_across_conversations(
    rabbitmq: RabbitMQ, name: str
) -> None:
    """Nothing was refused, so everything arrives in the order in which it was published."""
    events = some_events(2 * PROVED)
    with connected(plain(rabbitmq, name)) as opened:
        opened.publish([Event.from_dict(event) for event in events])
    reader = Reader(rabbitmq, name)
    reader.empty()
    assert reader.read == events


def in_order(events: list[dict[str, Any]]) -> dict[str, list[int]]:
    """Return the numbers of each conversation's events as they were published."""
    conversations: dict[str, list[int]] = defaultdict(list)
    for event in events:
        conversations[event["sender_id"]].append(event["number"])
    return dict(conversations)
