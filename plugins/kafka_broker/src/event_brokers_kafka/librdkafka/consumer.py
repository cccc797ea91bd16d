"""Reads a topic with librdkafka's consumer, as a member of a group or without a trace."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer as ConfluentConsumer
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from event_brokers import BrokerUnavailable, ReceivedEvent
from event_brokers_kafka import limits
from event_brokers_kafka.clients import Entrance, Received
from event_brokers_kafka.librdkafka.handle import Handle
from event_brokers_kafka.librdkafka.settings import common_settings
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.receiving import (
    consumer_failed,
    group_access_error,
    to_event,
    warn_of_lost_group,
)
from event_brokers_kafka.topic import READ, Topic, access_error

# said of a commit where the group goes on with other members, or shares anew
_LOST = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._NO_OFFSET,
)


def receive(entrance: Entrance, topic: Topic, group: str | None, from_start: bool) -> Received:
    """Yield the events of a topic; see `clients.Client`."""
    consumer = ConfluentConsumer(
        {
            **common_settings(entrance),
            # one has to be given; without a group nothing is joined and nothing committed
            "group.id": group or f"event-brokers-{uuid.uuid4()}",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest" if from_start else "latest",
            "session.timeout.ms": int(limits.SESSION_SECONDS * 1000),
        }
    )
    positions = _Positions(consumer, from_start)
    handle = Handle(consumer, positions.commit_last)
    try:
        if group is None:
            consumer.assign(positions.beginnings(_partitions(topic)))
        else:
            consumer.subscribe(
                [topic.name], on_assign=positions.begin, on_revoke=positions.give_back,
                on_lost=positions.forget,
            )  # fmt: skip
        yield from _read(consumer, positions, is_member=group is not None)
    except KafkaException as error:
        raise _translate_error(error.args[0], entrance.options, group) from error
    finally:
        with suppress(BrokerUnavailable):  # it goes on closing
            handle.close()


def _read(consumer: Any, positions: _Positions, *, is_member: bool) -> Received:
    while True:
        message = consumer.poll(limits.POLL_SECONDS)
        if message is None:
            positions.commit()
            yield None
            continue
        error = message.error()
        if error is not None:
            _pass_over(error)
            continue
        yield _to_event(message)
        if is_member:
            positions.acknowledge(message)


def _pass_over(error: KafkaError) -> None:
    """Go on where the consumer does so by itself; raise otherwise."""
    if error.code() == KafkaError._MAX_POLL_EXCEEDED:
        warn_of_lost_group()
    elif not error.retriable():
        raise KafkaException(error)


class _Positions:
    """Where each partition stands: what is acknowledged, on its way to the group's coordinator."""

    def __init__(self, consumer: Any, from_start: bool) -> None:
        self._consumer = consumer
        self._from_start = from_start
        self._mine: set[int] = set()
        self._acknowledged: dict[int, TopicPartition] = {}
        self._committed_at = time.monotonic()

    def beginnings(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Return the partitions, each at its oldest event, or behind its newest."""
        return [self._beginning(partition) for partition in partitions]

    def begin(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        """Take partitions over; commit where a group begins, so that nothing is skipped later."""
        known = consumer.committed(partitions, limits.REQUEST_SECONDS)
        new = self.beginnings([each for each in known if each.offset < 0])
        consumer.assign([each for each in known if each.offset >= 0] + new)
        self._mine = {each.partition for each in partitions}
        if new:
            self._commit(new)

    def give_back(self, _consumer: Any, partitions: list[TopicPartition]) -> None:
        """Commit what is acknowledged before others take the partitions over."""
        with suppress(KafkaException):  # what it could not commit comes again
            self.commit()
        self.forget(_consumer, partitions)

    def forget(self, _consumer: Any, _partitions: list[TopicPartition]) -> None:
        """Commit nothing more of what others have."""
        self._mine.clear()
        self._acknowledged.clear()

    def acknowledge(self, message: Any) -> None:
        """Note that an event was worked on; commits from time to time."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        if partition in self._mine:
            self._acknowledged[partition] = TopicPartition(topic, partition, offset + 1)
        if time.monotonic() - self._committed_at >= limits.COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Commit what was acknowledged since the last time."""
        self._committed_at = time.monotonic()
        if not self._acknowledged:
            return
        offsets = list(self._acknowledged.values())
        self._acknowledged.clear()
        self._commit(offsets)

    def commit_last(self) -> None:
        """Commit what was acknowledged, as far as that still goes."""
        with suppress(KafkaException):  # what it could not commit comes again
            self.commit()

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in _LOST:
                raise
            warn_of_lost_group()

    def _beginning(self, partition: TopicPartition) -> TopicPartition:
        low, high = self._consumer.get_watermark_offsets(partition, limits.REQUEST_SECONDS)
        offset = low if self._from_start else high
        return TopicPartition(partition.topic, partition.partition, offset)


def _partitions(topic: Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


def _to_event(message: Any) -> ReceivedEvent:
    return to_event(
        message.topic(), message.partition(), message.offset(), message.value(),
        message.headers() or (),
    )  # fmt: skip


def _translate_error(error: KafkaError, options: KafkaOptions, group: str | None) -> Exception:
    if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
        return group_access_error(options, group)
    if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
        return access_error(options.topic, options.where, READ)
    return consumer_failed(options, error.name())
