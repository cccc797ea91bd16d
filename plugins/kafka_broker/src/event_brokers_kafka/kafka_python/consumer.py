"""Reads a topic with kafka-python's consumer, as a member of a group or without a trace."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import kafka
from kafka import TopicPartition
from kafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)
from kafka.structs import OffsetAndMetadata

from event_brokers import BrokerUnavailable, ReceivedEvent
from event_brokers_kafka import limits
from event_brokers_kafka.clients import Entrance, Received
from event_brokers_kafka.kafka_internals import close_on_failure
from event_brokers_kafka.kafka_python.settings import common_settings
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.receiving import (
    consumer_failed,
    group_access_error,
    to_event,
    warn_of_lost_group,
)
from event_brokers_kafka.topic import READ, Topic, access_error

_AT_ONCE = 500


def receive(entrance: Entrance, topic: Topic, group: str | None, from_start: bool) -> Received:
    """Yield the events of a topic; see `clients.Client`."""
    consumer = _start(entrance, topic, group, from_start)
    positions = _Positions(consumer) if group is not None else None
    try:
        yield from _read(consumer, positions)
    except KafkaError as error:
        raise _translate_error(error, entrance.options, group) from error
    finally:
        if positions is not None:
            with suppress(KafkaError):  # what it could not commit comes again
                positions.commit(limits.CLOSE_SECONDS)
        consumer.close(timeout_ms=int(limits.CLOSE_SECONDS * 1000))


def _read(consumer: Any, positions: _Positions | None) -> Received:
    while True:
        records = consumer.poll(timeout_ms=int(limits.POLL_SECONDS * 1000), max_records=_AT_ONCE)
        if positions is not None:
            positions.settle(records)
        for partition, batch in records.items():
            for record in batch:
                yield _to_event(record)
                if positions is not None:
                    positions.acknowledge(partition, record.offset)
        if positions is not None:
            positions.commit(limits.COMMIT_TIMEOUT_SECONDS)
        if not records:
            yield None


class _Positions:
    """What is acknowledged, on its way to the group's coordinator."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._acknowledged: dict[TopicPartition, int] = {}
        self._settled: set[TopicPartition] = set()
        self._committed_at = time.monotonic()

    def settle(self, records: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Commit where a group begins, so that nothing is skipped if it is joined or left then.

        Parameters:
            records: what has been fetched, and not been worked on.
        """
        assigned = self._consumer.assignment()
        for partition in assigned - self._settled:
            if self._consumer.committed(partition) is None:
                self._acknowledged[partition] = self._begin(partition, records.get(partition))
        self._settled = assigned

    def _begin(self, partition: TopicPartition, fetched: Sequence[Any] | None) -> int:
        # the consumer's own position is behind what it has fetched
        return int(fetched[0].offset if fetched else self._consumer.position(partition))

    def acknowledge(self, partition: TopicPartition, offset: int) -> None:
        """Note that an event was worked on; commits from time to time."""
        self._acknowledged[partition] = offset + 1
        if time.monotonic() - self._committed_at >= limits.COMMIT_SECONDS:
            self.commit(limits.COMMIT_TIMEOUT_SECONDS)

    def commit(self, timeout: float) -> None:
        """Commit what was acknowledged since the last time.

        Parameters:
            timeout: seconds to wait for the coordinator.
        """
        self._committed_at = time.monotonic()
        if not self._acknowledged:
            return
        offsets = {
            partition: OffsetAndMetadata(offset, "", -1)
            for partition, offset in self._acknowledged.items()
        }
        try:
            self._consumer.commit(offsets, timeout_ms=int(timeout * 1000))
        except CommitFailedError:
            warn_of_lost_group()
        self._acknowledged.clear()


def _start(entrance: Entrance, topic: Topic, group: str | None, from_start: bool) -> Any:
    try:
        with close_on_failure() as client:
            consumer = kafka.KafkaConsumer(
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest" if from_start else "latest",
                session_timeout_ms=int(limits.SESSION_SECONDS * 1000),
                kafka_client=client,
                **common_settings(entrance),
            )
            if group is None:
                _take_all(consumer, topic.name, topic.partitions)
            else:
                consumer.subscribe([topic.name])
    except KafkaError as error:
        raise BrokerUnavailable(f"{entrance.broker} stopped answering") from error
    return consumer


def _take_all(consumer: Any, topic: str, count: int) -> None:
    partitions = [TopicPartition(topic, number) for number in range(count)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.position(partition)  # what is published from now on is new


def _to_event(record: Any) -> ReceivedEvent:
    return to_event(record.topic, record.partition, record.offset, record.value, record.headers)


def _translate_error(error: KafkaError, options: KafkaOptions, group: str | None) -> Exception:
    if isinstance(error, GroupAuthorizationFailedError):
        return group_access_error(options, group)
    if isinstance(error, TopicAuthorizationFailedError):
        return access_error(options.topic, options.where, READ)
    return consumer_failed(options, type(error).__name__)
