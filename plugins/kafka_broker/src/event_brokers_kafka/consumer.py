"""Reads the topic as a member of a consumer group, or without leaving a trace."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing, suppress
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

from event_brokers import BrokerUnavailable, ConfigurationError, ReceivedEvent
from event_brokers.plugin import logger
from event_brokers_kafka.access import Access
from event_brokers_kafka.client import client_settings
from event_brokers_kafka.kafka_internals import close_on_failure
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.sign_in import sign_in_to_any
from event_brokers_kafka.topic import READ, access_error, find_again, find_or_make

_POLL_SECONDS = 0.5
_AT_ONCE = 500
_COMMIT_SECONDS = 0.1  # that an acknowledgement may be repeated of, after SIGKILL
_COMMIT_TIMEOUT_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_SESSION_SECONDS = 10.0  # after which the group does without a member that was killed

Received = Generator[ReceivedEvent | None, None, None]


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
        yield from _consume(options, access, group, from_start, used)


def _consume(
    options: KafkaOptions, access: Access, group: str | None, from_start: bool, used: set[str]
) -> Received:
    consumer = _start(options, access, group, from_start, used)
    positions = _Positions(consumer) if group is not None else None
    try:
        yield from _read(consumer, positions)
    except KafkaError as error:
        raise _translate_error(error, options, group) from error
    finally:
        if positions is not None:
            with suppress(KafkaError):  # what it could not commit comes again
                positions.commit(_CLOSE_SECONDS)
        consumer.close(timeout_ms=int(_CLOSE_SECONDS * 1000))


def _read(consumer: Any, positions: _Positions | None) -> Received:
    while True:
        records = consumer.poll(timeout_ms=int(_POLL_SECONDS * 1000), max_records=_AT_ONCE)
        if positions is not None:
            positions.settle(records)
        for partition, batch in records.items():
            for record in batch:
                yield _to_event(record)
                if positions is not None:
                    positions.acknowledge(partition, record.offset)
        if positions is not None:
            positions.commit(_COMMIT_TIMEOUT_SECONDS)
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
        if time.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            self.commit(_COMMIT_TIMEOUT_SECONDS)

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
            logger.warning("kafka: the group has gone on without this consumer; events come again")
        self._acknowledged.clear()


def _start(
    options: KafkaOptions, access: Access, group: str | None, from_start: bool, used: set[str]
) -> Any:
    with sign_in_to_any(options, access) as session:
        find = find_again if options.topic in used else find_or_make
        topic = find(session, options.topic, READ)
        used.add(options.topic)
        first = session.address
    try:
        with close_on_failure() as client:
            consumer = kafka.KafkaConsumer(
                group_id=group,
                enable_auto_commit=False,
                auto_offset_reset="earliest" if from_start else "latest",
                session_timeout_ms=int(_SESSION_SECONDS * 1000),
                kafka_client=client,
                **client_settings(options, access, first),
            )
            if group is None:
                _take_all(consumer, options.topic, topic.partitions)
            else:
                consumer.subscribe([options.topic])
    except KafkaError as error:
        raise BrokerUnavailable(f"{first} stopped answering") from error
    return consumer


def _take_all(consumer: Any, topic: str, count: int) -> None:
    partitions = [TopicPartition(topic, number) for number in range(count)]
    consumer.assign(partitions)
    for partition in partitions:
        consumer.position(partition)  # what is published from now on is new


def _to_event(record: Any) -> ReceivedEvent:
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    return ReceivedEvent.from_body(
        record.value or b"",
        f"topic '{record.topic}', partition {record.partition}, offset {record.offset}",
        headers=headers,
    )


def _translate_error(
    error: KafkaError, options: KafkaOptions, group: str | None
) -> ConfigurationError | BrokerUnavailable:
    where = ", ".join(map(str, options.addresses))
    if isinstance(error, GroupAuthorizationFailedError):
        return ConfigurationError(
            f"event_broker.{options.user_option}: '{where}' does not let this user into the group "
            f"'{group}'; grant Read on the group"
        )
    if isinstance(error, TopicAuthorizationFailedError):
        return access_error(options.topic, where, READ)
    return BrokerUnavailable(f"{where}: the consumer failed with {type(error).__name__}")
