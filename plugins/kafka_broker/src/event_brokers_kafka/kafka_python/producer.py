"""Batches of events through kafka-python's producer."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import kafka
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from event_brokers import BrokerUnavailable, Event
from event_brokers_kafka import limits
from event_brokers_kafka.clients import Entrance, Outcome
from event_brokers_kafka.kafka_internals import close_on_failure, forget_at_exit, stop_sending
from event_brokers_kafka.kafka_python.failures import failures_of
from event_brokers_kafka.kafka_python.settings import common_settings
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.record import Records


def start_producer(entrance: Entrance) -> KafkaPythonProducer:
    """Return a producer; see `clients.Client`."""
    try:
        with close_on_failure() as client:
            producer = kafka.KafkaProducer(
                kafka_client=client,
                **common_settings(entrance),
                **_delivery_settings(entrance.options),
            )
    except KafkaError as error:
        raise BrokerUnavailable(f"{entrance.broker} stopped answering") from error
    forget_at_exit(producer)
    return KafkaPythonProducer(producer, entrance.options)


class KafkaPythonProducer:
    """One `kafka.KafkaProducer`, which fails whatever follows a failed event with the same error.

    Parameters:
        producer: kafka-python's.
        options: the topic, and what a record holds.
    """

    def __init__(self, producer: Any, options: KafkaOptions) -> None:
        self._producer = producer
        self._topic = options.topic
        self._records = Records(options)

    def send(self, events: Sequence[Event]) -> Outcome:
        pending, refused = self._hand_over(events)
        self._flush()
        confirmed, failed = _wait(pending)
        failures = failures_of({**refused, **failed}) if refused or failed else {}
        return Outcome(confirmed, failures, bool(failed))

    def close(self) -> None:
        stop_sending(self._producer)
        try:
            self._producer.close(timeout=limits.CLOSE_SECONDS)
        except KafkaTimeoutError as error:
            raise BrokerUnavailable("the producer's thread did not end in time") from error

    def _hand_over(self, events: Sequence[Event]) -> tuple[dict[str, Any], dict[str, KafkaError]]:
        """Hand the events over; return the future of each, or the error that kept it back."""
        send, topic = self._producer.send, self._topic
        key, headers = self._records.key, self._records.headers
        stop = _stopper(self._producer)
        pending: dict[str, Any] = {}
        refused: dict[str, KafkaError] = {}
        for event in events:
            try:
                future = send(topic, event.body, key(event), headers(event))
            except MessageSizeTooLargeError as error:
                refused[event.id] = error
                continue
            except KafkaError as error:
                refused[event.id] = error
                break  # what follows must not overtake it
            future.add_errback(stop)
            pending[event.id] = future
        return pending, refused

    def _flush(self) -> None:
        try:
            self._producer.flush(limits.DELIVERY_SECONDS)
        except KafkaError:
            return  # the futures say more


def _wait(pending: dict[str, Any]) -> tuple[list[str], dict[str, KafkaError]]:
    """Wait for every future; return the ids of what was confirmed, and why the others were not."""
    deadline = time.monotonic() + limits.DELIVERY_SECONDS
    confirmed: list[str] = []
    failed: dict[str, KafkaError] = {}
    for event_id, future in pending.items():
        try:
            future.get(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError as error:
            failed[event_id] = error
        else:
            confirmed.append(event_id)
    return confirmed, failed


def _stopper(producer: Any) -> Callable[[KafkaError], None]:
    """Return what stops the producer as soon as one event has failed.

    It is called on the producer's own thread, before anything else is sent, and at most one batch
    of a partition is under way at any time: so no later event of the same sender can arrive first.
    """

    def stop(_error: KafkaError) -> None:
        stop_sending(producer)

    return stop


def _delivery_settings(options: KafkaOptions) -> dict[str, Any]:
    return {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None
        if options.compression_type == "none"
        else options.compression_type,
        "linger_ms": limits.LINGER_MILLISECONDS,
        "batch_size": limits.BATCH_BYTES,
        "max_request_size": limits.MAX_REQUEST_BYTES,
        "delivery_timeout_ms": int(limits.DELIVERY_SECONDS * 1000),
        "max_block_ms": int(limits.START_SECONDS * 1000),
    }
