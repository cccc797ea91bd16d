"""Reads the topic as a member of a consumer group, or without leaving a trace."""

from __future__ import annotations

from contextlib import closing

from event_brokers_kafka.access import Access
from event_brokers_kafka.clients import Entrance, Received, client_of
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.sign_in import sign_in_to_any
from event_brokers_kafka.topic import READ, find_again, find_or_make


def consume(options: KafkaOptions, group: str | None, from_start: bool, used: set[str]) -> Received:
    """Yield the events of the topic; see the hook `consume`.

    Parameters:
        options: where from, and as who.
        group: Kafka's consumer group, whose members share the partitions.
        from_start: whether a group without a position begins with the oldest event.
        used: gets the topic, which is never made anew once it was read from.

    Raises:
        ConfigurationError: a person must change something: login, TLS, a missing right.
        BrokerUnavailable: no broker can be reached now.
    """
    with closing(Access(options)) as access:
        with sign_in_to_any(options, access) as session:
            find = find_again if options.topic in used else find_or_make
            topic = find(session, options.topic, READ)
            used.add(options.topic)
            entrance = Entrance(options, access, session.address)
        yield from client_of(options).receive(entrance, topic, group, from_start)
