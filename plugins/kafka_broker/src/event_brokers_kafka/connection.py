"""The connection: one kafka-python producer, and batches of events through it."""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable, Sequence
from typing import Any

import kafka
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from event_brokers import BrokerUnavailable, Event
from event_brokers_kafka import failures
from event_brokers_kafka.addresses import Address
from event_brokers_kafka.client import START_SECONDS, client_settings, closed_on_failure
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.sign_in import sign_in, sign_in_to_any
from event_brokers_kafka.tls import client_context
from event_brokers_kafka.topic import find_or_make

DELIVERY_SECONDS = 30.0
CLOSE_SECONDS = 3.0
# handed over as a batch and flushed at once, so this only keeps the first record from leaving alone
LINGER_MILLISECONDS = 50
BATCH_BYTES = 262_144
# the broker's own limit decides; this is what a request may have at most (socket.request.max.bytes
# is 100 MiB), less its frame
MAX_REQUEST_BYTES = 100 * 1024 * 1024 - 65_536


class KafkaConnection:
    """A producer that is signed in, and whose topic is there.

    Parameters:
        options: where to, and as who.

    Raises:
        ConfigurationError: a person must change something: login, TLS, a missing topic.
        BrokerUnavailable: no broker can be reached now.
    """

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._headers = _environment_headers()
        self._producer: Any = self._start_producer()

    def publish(self, events: Sequence[Event]) -> None:
        """Send the events and wait until every in-sync replica has every one.

        Parameters:
            events: in the order in which they are to be stored; those of one sender stay in it.

        Raises:
            RejectedEvents: some are larger than the broker takes.
            ConfigurationError: the user may not write.
            BrokerUnavailable: not all were confirmed within DELIVERY_SECONDS.
        """
        if self._producer is None:
            self._producer = self._start_producer()
        pending, errors = self._send(events)
        self._flush()
        confirmed = _wait(pending, errors)
        if not errors:
            return
        # after an error kafka-python's producer fails whatever follows, with that same error
        self.close()
        raise failures.as_publish_error(errors, confirmed, events, self._options)

    def close(self) -> None:
        """Stop the producer, whatever it still has to send, and release thread and sockets."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        _stop(producer)
        try:
            producer.close(timeout=CLOSE_SECONDS)
        except KafkaTimeoutError as error:
            raise BrokerUnavailable("the producer's thread did not end in time") from error

    def _send(self, events: Sequence[Event]) -> tuple[dict[str, Any], dict[str, KafkaError]]:
        """Hand the events over; return the future of each, or the error that kept it back."""
        producer, topic = self._producer, self._options.topic
        by_sender = self._options.partition_by_sender
        stop = _stopper(producer)
        pending: dict[str, Any] = {}
        errors: dict[str, KafkaError] = {}
        for event in events:
            key = event.sender_id.encode() if by_sender and event.sender_id is not None else None
            headers = [(name, text.encode()) for name, text in event.headers.items()]
            try:
                future = producer.send(topic, event.body, key, headers + self._headers)
            except MessageSizeTooLargeError as error:
                errors[event.id] = error
                continue
            except KafkaError as error:
                errors[event.id] = error
                break  # what follows must not overtake it
            future.add_errback(stop)
            pending[event.id] = future
        return pending, errors

    def _flush(self) -> None:
        try:
            self._producer.flush(DELIVERY_SECONDS)
        except KafkaError:
            return  # the futures say more

    def _start_producer(self) -> Any:
        options = self._options
        context = client_context(options)
        first = self._find_way_in(context)
        try:
            with closed_on_failure() as client:
                producer = kafka.KafkaProducer(
                    kafka_client=client,
                    **client_settings(options, context, first),
                    **_delivery_settings(options),
                )
        except KafkaError as error:
            raise BrokerUnavailable(f"{first} stopped answering") from error
        # its own exit handler would close it before the core has drained
        producer._unregister_cleanup()
        return producer

    def _find_way_in(self, context: ssl.SSLContext | None) -> Address:
        """Return a broker that lets us in, once the topic and the way to its leaders are sure."""
        with sign_in_to_any(self._options, context) as session:
            topic = find_or_make(session, self._options.topic)
            for leader in topic.leaders:
                if leader != session.address:
                    self._make_sure_of_leader(leader, session.address, context)
            return session.address

    def _make_sure_of_leader(
        self, leader: Address, named_by: Address, context: ssl.SSLContext | None
    ) -> None:
        try:
            sign_in(leader, self._options, context).close()
        except BrokerUnavailable as error:
            raise BrokerUnavailable(
                f"{error}; {named_by} names it as the topic's broker (advertised.listeners)"
            ) from error


def _wait(pending: dict[str, Any], errors: dict[str, KafkaError]) -> list[str]:
    """Wait for every future; note what failed, return the ids of what was confirmed."""
    deadline = time.monotonic() + DELIVERY_SECONDS
    confirmed = []
    for event_id, future in pending.items():
        try:
            future.get(timeout=max(0.0, deadline - time.monotonic()))
        except KafkaError as error:
            errors[event_id] = error
        else:
            confirmed.append(event_id)
    return confirmed


def _stop(producer: Any) -> None:
    """Let the producer send nothing more."""
    producer._sender.force_close()


def _stopper(producer: Any) -> Callable[[KafkaError], None]:
    """Return what stops the producer as soon as one event has failed.

    It is called on the producer's own thread, before anything else is sent, and at most one batch
    of a partition is under way at any time: so no later event of the same sender can arrive first.
    """

    def stop(_error: KafkaError) -> None:
        _stop(producer)

    return stop


def _environment_headers() -> list[tuple[str, bytes]]:
    environment = os.environ.get("RASA_ENVIRONMENT")
    return [("RASA_ENVIRONMENT", environment.encode())] if environment else []


def _delivery_settings(options: KafkaOptions) -> dict[str, Any]:
    return {
        "acks": "all",
        "enable_idempotence": True,
        "compression_type": None
        if options.compression_type == "none"
        else options.compression_type,
        "linger_ms": LINGER_MILLISECONDS,
        "batch_size": BATCH_BYTES,
        "max_request_size": MAX_REQUEST_BYTES,
        "delivery_timeout_ms": int(DELIVERY_SECONDS * 1000),
        "max_block_ms": int(START_SECONDS * 1000),
    }
