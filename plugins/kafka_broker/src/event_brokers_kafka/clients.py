"""What a client of Kafka has to do for us, and the one place where one is chosen."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from event_brokers import Event, ReceivedEvent
from event_brokers.plugin.network import Address
from event_brokers_kafka.access import Access
from event_brokers_kafka.failures import Failure
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.topic import Topic

Received = Generator[ReceivedEvent | None, None, None]

_MODULES = {
    "kafka-python": "event_brokers_kafka.kafka_python",
    "librdkafka": "event_brokers_kafka.librdkafka",
}


class Outcome(NamedTuple):
    """What became of a batch.

    Attributes:
        confirmed: ids of the events that every in-sync replica has.
        failures: event id -> why it was not confirmed; what is in neither of the two was not
            heard of.
        is_used_up: whether the producer takes no further batch.
    """

    confirmed: Sequence[str]
    failures: Mapping[str, Failure]
    is_used_up: bool


class Producer(Protocol):
    """Sends batches, one after the other, until one fails."""

    def send(self, events: Sequence[Event]) -> Outcome:
        """Send the events, wait for what the broker says of each, and return that.

        It takes about `limits.DELIVERY_SECONDS` at most. Once an event has failed at the broker,
        none behind it is stored.

        Parameters:
            events: in the order in which they are to be stored; those of one sender stay in it.
        """

    def close(self) -> None:
        """Stop, whatever there still is to send, and release threads and sockets.

        Raises:
            BrokerUnavailable: they are not released within `limits.CLOSE_SECONDS`.
        """


class Entrance(NamedTuple):
    """What a client starts with.

    Attributes:
        options: where to.
        access: as who.
        broker: the one to ask first, which has let us in.
    """

    options: KafkaOptions
    access: Access
    broker: Address


class Client(Protocol):
    """One client library: a package of this one that has these two functions."""

    def start_producer(self, entrance: Entrance) -> Producer:
        """Return a producer.

        Raises:
            BrokerUnavailable: the broker does not answer any more.
        """

    def receive(
        self, entrance: Entrance, topic: Topic, group: str | None, from_start: bool
    ) -> Received:
        """Yield the events of a topic; see the hook `consume`.

        Parameters:
            entrance: where from, and as who.
            topic: as the broker knows it.
            group: Kafka's consumer group, whose members share the partitions.
            from_start: whether a group without a position begins with the oldest event.

        Raises:
            ConfigurationError: a right is missing.
            BrokerUnavailable: no broker can be reached now.
        """


def client_of(options: KafkaOptions) -> Client:
    """Return the client that the options choose; the other one is not imported."""
    return cast(Client, import_module(_MODULES[options.client]))
