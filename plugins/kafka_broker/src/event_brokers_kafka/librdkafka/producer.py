"""Batches of events through librdkafka's producer."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as ConfluentProducer

from event_brokers import BrokerUnavailable, Event
from event_brokers_kafka import limits
from event_brokers_kafka.clients import Entrance, Outcome
from event_brokers_kafka.failures import Failure, Kind
from event_brokers_kafka.librdkafka.failures import concern_batches, failure_of
from event_brokers_kafka.librdkafka.handle import Handle
from event_brokers_kafka.librdkafka.polling import flush
from event_brokers_kafka.librdkafka.reports import Reports
from event_brokers_kafka.librdkafka.settings import common_settings
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.record import Records

_PURGE_SECONDS = 2.0
_BATCH_BYTES = 1_000_000  # a topic takes 1,048,588 unless told otherwise
_ANY_PARTITION, _NOW = -1, 0
_SMALLER = 4  # how many times, to find the event that the broker means


def start_producer(entrance: Entrance) -> LibrdkafkaProducer:
    """Return a producer; see `clients.Client`."""
    return LibrdkafkaProducer(entrance)


class LibrdkafkaProducer:
    """One producer of confluent-kafka at a time; after a refused batch, one with smaller batches.

    Parameters:
        entrance: where to, and as who.

    Raises:
        BrokerUnavailable: the broker does not answer any more.
    """

    def __init__(self, entrance: Entrance) -> None:
        self._broker = entrance.broker
        self._topic = entrance.options.topic
        self._settings = {**common_settings(entrance), **_delivery_settings(entrance.options)}
        self._records = Records(entrance.options)
        self._batch_bytes = _BATCH_BYTES
        self._fatal: KafkaError | None = None
        self._reports = Reports()
        self._handle = self._open()

    def send(self, events: Sequence[Event]) -> Outcome:
        deadline = time.monotonic() + limits.DELIVERY_SECONDS
        confirmed: list[str] = []
        while True:
            self._send(events, deadline)
            reports = self._reports
            confirmed += reports.confirmed
            failures = reports.failures()
            if not concern_batches(failures) or time.monotonic() >= deadline:
                return Outcome(confirmed, self._explained(failures), reports.has_failed())
            known = set(reports.confirmed)
            events = [event for event in events if event.id not in known]
            self._make_smaller_batches()

    def close(self) -> None:
        self._handle.close()

    def _send(self, events: Sequence[Event], deadline: float) -> None:
        producer = self._handle.client
        self._hand_over(producer, events)
        missing, self._fatal = flush(producer, deadline - time.monotonic())
        if missing:
            # what is not confirmed by now is given up as a whole: nothing may overtake
            self._reports.give_up()
            _take_back(producer)

    def _hand_over(self, producer: Any, events: Sequence[Event]) -> None:
        produce, topic, callbacks = producer.produce, self._topic, self._reports.begin(events)
        key, headers = self._records.key, self._records.headers
        for place, event in enumerate(events):
            try:
                # by position, which takes a tenth less time
                produce(
                    topic, event.body, key(event), _ANY_PARTITION, callbacks[place], None,
                    _NOW, headers(event),
                )  # fmt: skip
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    return  # what follows must not overtake it
                self._reports.refuse(place, error.args[0])

    def _explained(self, failures: dict[str, Failure]) -> dict[str, Failure]:
        """Return the failures, with the reason where all that was said is that nothing is sent."""
        if self._fatal is None or any(
            each.kind is not Kind.HELD_BACK for each in failures.values()
        ):
            return failures
        return dict.fromkeys(failures, failure_of(self._fatal))

    def _make_smaller_batches(self) -> None:
        self._batch_bytes = max(1, self._batch_bytes // _SMALLER)
        self._handle.close()
        self._handle = self._open()

    def _open(self) -> Handle:
        producer = ConfluentProducer({**self._settings, "batch.size": self._batch_bytes})
        handle = Handle(producer, partial(_take_back, producer))
        try:
            producer.list_topics(self._topic, limits.START_SECONDS)
        except KafkaException as error:
            handle.close()
            raise BrokerUnavailable(f"{self._broker} stopped answering") from error
        return handle


def _take_back(producer: Any) -> None:
    """Take back what is not confirmed; its reports say so, and closing has nothing to wait for."""
    producer.purge()
    flush(producer, _PURGE_SECONDS)


def _delivery_settings(options: KafkaOptions) -> dict[str, Any]:
    return {
        "acks": "all",
        "enable.idempotence": True,
        # what follows a batch that has failed for good is not sent; without it the others would
        # overtake
        "enable.gapless.guarantee": True,
        # of a producer that it has not heard of before, a broker takes any batch for the first one:
        # a second one under way would overtake a first one that is refused
        "max.in.flight.requests.per.connection": 1,
        # for ever: librdkafka would give up single events and go on with the others; we give up all
        "message.timeout.ms": 0,
        "request.timeout.ms": int(limits.REQUEST_SECONDS * 1000),
        # the same partition for the same key as kafka-python's, which is Java's
        "partitioner": "murmur2_random",
        "compression.type": options.compression_type,
        "message.max.bytes": limits.MAX_REQUEST_BYTES,
    }
