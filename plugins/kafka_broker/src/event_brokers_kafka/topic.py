"""The topic: whether it is there, and waiting for the broker to make it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

from kafka.errors import for_code
from kafka.protocol.metadata import MetadataRequest

from event_brokers import BrokerUnavailable, ConfigurationError
from event_brokers.plugin.network import Address
from event_brokers_kafka.session import ConnectionClosed, Session

CREATION_SECONDS = 5.0
_POLL_SECONDS = 0.1
_UNKNOWN_TOPIC = 3
_INVALID_TOPIC = 17
_TOPIC_AUTHORIZATION_FAILED = 29


class Right(NamedTuple):
    """What a user has to be allowed to do with the topic.

    Attributes:
        code: org.apache.kafka.common.acl.AclOperation.
        text: what is not allowed without it; `{name}` is the topic.
        needs: what to grant.
    """

    code: int
    text: str
    needs: str


READ = Right(3, "read '{name}'", "Describe and Read")
WRITE = Right(4, "write to '{name}'", "Describe and Write, and Create if it has to be made")


class Topic(NamedTuple):
    """What a broker knows of a topic.

    Attributes:
        name: the topic's.
        error_code: Kafka's; 0 where the topic is there.
        partitions: how many it has.
        leaders: the addresses of the brokers that take its events.
        operations: what the user may do with it; Kafka's codes.
    """

    name: str
    error_code: int
    partitions: int
    leaders: tuple[Address, ...]
    operations: frozenset[int]

    @property
    def is_missing(self) -> bool:
        """Whether the topic does not exist."""
        return self.error_code == _UNKNOWN_TOPIC

    @property
    def is_ready(self) -> bool:
        """Whether the topic can be written to now."""
        return not self.error_code and bool(self.leaders)


def find(session: Session, name: str) -> Topic:
    """Look for the topic without making it.

    Raises:
        ConfigurationError: the user may not write to it.
        BrokerUnavailable: the broker does not answer.
    """
    topic = _ask(session, _request(name, allow_auto_topic_creation=False))
    _refuse_forbidden(session, topic, WRITE)
    return topic


def find_or_make(session: Session, name: str, right: Right = WRITE) -> Topic:
    """Return the topic once it takes events; a broker that makes topics by itself makes it.

    Parameters:
        session: with a broker that has let us in.
        name: the topic's.
        right: what we are going to do with it.

    Raises:
        ConfigurationError: it is missing and this broker makes none, or the right is missing.
        BrokerUnavailable: no partition has a leader, or the broker does not answer.
    """
    topic = _wait_for(session, _request(name, allow_auto_topic_creation=True), right)
    if topic.is_missing:
        raise ConfigurationError(
            f"event_broker.topic: '{name}' does not exist, and '{session.address}' makes no "
            f"topics by itself; {_how_to_make(session, name)}"
        )
    return _refuse_unready(session, topic)


def find_again(session: Session, name: str, right: Right = WRITE) -> Topic:
    """Return a topic that was used before; it is never made anew.

    Parameters:
        session: with a broker that has let us in.
        name: the topic's.
        right: what is to be done with it.

    Raises:
        ConfigurationError: it is missing, and what it held with it, or the right is missing.
        BrokerUnavailable: no partition has a leader, or the broker does not answer.
    """
    topic = _wait_for(session, _request(name, allow_auto_topic_creation=False), right)
    if topic.is_missing:
        raise ConfigurationError(
            f"event_broker.topic: '{name}' was used before and is now missing at "
            f"'{session.address}'; events are kept and no new topic is made: bring it back, "
            f"or {_how_to_make(session, name)}"
        )
    return _refuse_unready(session, topic)


def _wait_for(session: Session, request: MetadataRequest, right: Right) -> Topic:
    """Return the topic when it is ready, or as it is when the time is over."""
    deadline = time.monotonic() + CREATION_SECONDS
    while True:
        topic = _ask(session, request)
        _refuse_forbidden(session, topic, right)
        if topic.is_ready or time.monotonic() > deadline:
            return topic
        time.sleep(_POLL_SECONDS)


def _refuse_unready(session: Session, topic: Topic) -> Topic:
    if topic.is_ready:
        return topic
    reason = _in_words(topic.error_code) if topic.error_code else "no partition has a leader"
    raise BrokerUnavailable(f"topic '{topic.name}' at {session.address} takes no events: {reason}")


def _how_to_make(session: Session, name: str) -> str:
    return f"kafka-topics.sh --bootstrap-server {session.address} --create --topic {name}"


def _request(name: str, *, allow_auto_topic_creation: bool) -> MetadataRequest:
    return MetadataRequest(
        topics=[MetadataRequest.MetadataRequestTopic(name=name)],
        allow_auto_topic_creation=allow_auto_topic_creation,
        include_topic_authorized_operations=True,
        min_version=8,  # from here on a broker says what the user may do: KIP-430
    )


def _ask(session: Session, request: MetadataRequest) -> Topic:
    try:
        answer = session.ask(request)
    except ConnectionClosed as error:
        raise BrokerUnavailable(f"{session.address} closed the connection") from error
    found = answer.topics[0]
    brokers = {broker.node_id: Address(broker.host, broker.port) for broker in answer.brokers}
    leaders = {
        brokers[partition.leader_id]: None
        for partition in found.partitions
        if partition.leader_id in brokers
    }
    return Topic(
        name=found.name,
        error_code=found.error_code,
        partitions=len(found.partitions),
        leaders=tuple(leaders),
        operations=frozenset(found.authorized_operations or ()),
    )


def _refuse_forbidden(session: Session, topic: Topic, right: Right) -> None:
    is_missing = not topic.error_code and right.code not in topic.operations
    if is_missing or topic.error_code == _TOPIC_AUTHORIZATION_FAILED:
        raise access_error(topic.name, session.address, right)
    if topic.error_code == _INVALID_TOPIC:
        raise ConfigurationError(
            f"event_broker.topic: '{session.address}' does not take '{topic.name}' as a name"
        )


def access_error(name: str, where: Any, right: Right = WRITE) -> ConfigurationError:
    """Return the error for a topic with which the user may not do what is needed.

    Parameters:
        name: the topic's.
        where: the broker's address.
        right: what is needed.
    """
    return ConfigurationError(
        f"event_broker.topic: '{where}' does not let this user {right.text.format(name=name)}; "
        f"grant {right.needs}"
    )


def _in_words(error_code: int) -> str:
    name: str = for_code(error_code).__name__
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    return words.strip().removesuffix(" error")
