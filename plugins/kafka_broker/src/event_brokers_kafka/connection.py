"""The connection: one kafka-python producer, and batches of events through it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import kafka
from kafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from event_brokers import BrokerUnavailable, Event
from event_brokers.plugin.network import Address
from event_brokers_kafka.access import Access
from event_brokers_kafka.client import START_SECONDS, client_settings
from event_brokers_kafka.failures import translate_errors
from event_brokers_kafka.kafka_internals import close_on_failure, forget_at_exit, stop_sending
from event_brokers_kafka.options import KafkaOptions
from event_brokers_kafka.session import Session
from event_brokers_kafka.sign_in import sign_in, sign_in_to_any
from event_brokers_kafka.topic import Topic, find_again, find_or_make

DELIVERY_SECONDS = 20.0
CLOSE_SECONDS = 3.0
# handed over as a batch and flushed at once, so this only keeps the first record from leaving alone
LINGER_MILLISECONDS = 50
BATCH_BYTES = 262_144
# the broker's own limit decides; this is what a request may have at most (socket.request.max.bytes
# is 100 MiB), less its frame
MAX_REQUEST_BYTES = 100 * 1024 * 1024 - 65_536
_ENVIRONMENT = "RASA_ENVIRONMENT"


class Connection:
    """A producer that is signed in, and whose topic is there.

    It is used up by the first event that fails: kafka-python's producer fails whatever follows,
    with that same error.

    Parameters:
        options: where to, and as who.
        used: topics in which earlier connections had events confirmed; gains this one's.

    Raises:
        ConfigurationError: a person must change something: login, TLS, a missing topic.
        BrokerUnavailable: no broker can be reached now.
    """

    def __init__(self, options: KafkaOptions, used: set[str]) -> None:
        self._options = options
        self._environment = os.environ.get(_ENVIRONMENT)
        self._is_used_up = False
        self._access = Access(options)
        try:
            first = _find_way_in(options, self._access, used)
            self._producer: Any = _start_producer(options, self._access, first)
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
        if self._is_used_up:
            raise BrokerUnavailable("an event has failed before; a new connection is needed")
        pending, refused = self._send(events)
        self._flush()
        confirmed, failed = _wait(pending)
        self._is_used_up = bool(failed)
        if refused or failed:
            raise translate_errors(
                {**refused, **failed}, confirmed, events, self._options, self._is_used_up
            )

    def close(self) -> None:
        """Stop the producer, whatever it still has to send, and release thread and sockets."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        stop_sending(producer)
        try:
            producer.close(timeout=CLOSE_SECONDS)
        except KafkaTimeoutError as error:
            raise BrokerUnavailable("the producer's thread did not end in time") from error
        finally:
            self._access.close()

    def _send(self, events: Sequence[Event]) -> tuple[dict[str, Any], dict[str, KafkaError]]:
        """Hand the events over; return the future of each, or the error that kept it back."""
        producer, topic = self._producer, self._options.topic
        by_sender = self._options.partition_by_sender
        stop = _stopper(producer)
        pending: dict[str, Any] = {}
        refused: dict[str, KafkaError] = {}
        for event in events:
            key = event.sender_id.encode() if by_sender and event.sender_id is not None else None
            try:
                future = producer.send(topic, event.body, key, self._headers(event))
            except MessageSizeTooLargeError as error:
                refused[event.id] = error
                continue
            except KafkaError as error:
                refused[event.id] = error
                break  # what follows must not overtake it
            future.add_errback(stop)
            pending[event.id] = future
        return pending, refused

    def _headers(self, event: Event) -> list[tuple[str, bytes]]:
        headers = event.headers
        if self._environment:
            headers.setdefault(_ENVIRONMENT, self._environment)
        return [(name, text.encode()) for name, text in headers.items()]

    def _flush(self) -> None:
        try:
            self._producer.flush(DELIVERY_SECONDS)
        except KafkaError:
            return  # the futures say more


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


def _start_producer(options: KafkaOptions, access: Access, first: Address) -> Any:
    try:
        with close_on_failure() as client:
            producer = kafka.KafkaProducer(
                kafka_client=client,
                **client_settings(options, access, first),
                **_delivery_settings(options),
            )
    except KafkaError as error:
        raise BrokerUnavailable(f"{first} stopped answering") from error
    forget_at_exit(producer)
    return producer


def _wait(pending: dict[str, Any]) -> tuple[list[str], dict[str, KafkaError]]:
    """Wait for every future; return the ids of what was confirmed, and why the others were not."""
    deadline = time.monotonic() + DELIVERY_SECONDS
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
        "linger_ms": LINGER_MILLISECONDS,
        "batch_size": BATCH_BYTES,
        "max_request_size": MAX_REQUEST_BYTES,
        "delivery_timeout_ms": int(DELIVERY_SECONDS * 1000),
        "max_block_ms": int(START_SECONDS * 1000),
    }
