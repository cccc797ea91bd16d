"""The connection: a producer that is signed in, and batches of events through it."""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers import BrokerUnavailable, Event
from event_brokers.plugin.network import Address
from event_brokers_kafka.access import Access
from event_brokers_kafka.clients import Entrance, Producer, client_of
from event_brokers_kafka.failures import translate_failures
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.session import Session
from event_brokers_kafka.sign_in import sign_in, sign_in_to_any
from event_brokers_kafka.topic import Topic, find_again, find_or_make


class Connection:
    """A producer that is signed in, and whose topic is there.

    It is used up by the first event that fails at the broker: what follows must not overtake it.

    Parameters:
        options: where to, and as who.
        used: topics in which earlier connections had events confirmed; gains this one's.

    Raises:
        ConfigurationError: a person must change something: login, TLS, a missing topic.
        BrokerUnavailable: no broker can be reached now.
    """

    def __init__(self, options: KafkaOptions, used: set[str]) -> None:
        self._options = options
        self._is_used_up = False
        self._access = Access(options)
        try:
            entrance = Entrance(options, self._access, _find_way_in(options, self._access, used))
            self._producer: Producer | None = client_of(options).start_producer(entrance)
        except BaseException:
            self._access.close()
            raise
        used.add(options.topic)

    def publish(self, events: Sequence[Event]) -> None:
        """Send the events and wait until every in-sync replica has every one.

        Parameters:
            events: in the order in which they are to be stored; those of one sender stay in it.

        Raises:
            RejectedEvents: some are larger than the broker takes.
            ConfigurationError: the user may not write.
            BrokerUnavailable: not all were confirmed within DELIVERY_SECONDS, or the connection
                was used up before.
        """
        if self._is_used_up or self._producer is None:
            raise BrokerUnavailable("an event has failed before; a new connection is needed")
        confirmed, failures, self._is_used_up = self._producer.send(events)
        if len(confirmed) < len(events):
            raise translate_failures(failures, confirmed, events, self._options, self._is_used_up)

    def close(self) -> None:
        """Stop the producer, whatever it still has to send, and release thread and sockets."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        try:
            producer.close()
        finally:
            self._access.close()


def _find_way_in(options: KafkaOptions, access: Access, used: set[str]) -> Address:
    """Return a broker that lets us in, once the topic and the way to its leaders are sure."""
    with sign_in_to_any(options, access) as session:
        topic = _find_topic(session, options.topic, used)
        for leader in topic.leaders:
            if leader != session.address:
                _make_sure_of_leader(leader, session.address, options, access)
        return session.address


def _find_topic(session: Session, name: str, used: set[str]) -> Topic:
    return find_again(session, name) if name in used else find_or_make(session, name)


def _make_sure_of_leader(
    leader: Address, named_by: Address, options: KafkaOptions, access: Access
) -> None:
    try:
        sign_in(leader, options, access).close()
    except BrokerUnavailable as error:
        raise BrokerUnavailable(
            f"{error}; {named_by} names it as the topic's broker (advertised.listeners)"
        ) from error
