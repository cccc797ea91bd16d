"""One connection to RabbitMQ that publishes batches and waits for their confirms."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from pika.exceptions import AMQPError

from event_brokers import BrokerUnavailable, Event, RejectedEvents
from event_brokers.errors import EventBrokersError
from event_brokers_pika.batch import Batch
from event_brokers_pika.connection_thread import ConnectionThread
from event_brokers_pika.failures import BLOCKED, meaning, size_limit
from event_brokers_pika.message import properties
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import parameters, place

logger = logging.getLogger("event_brokers")

_OPEN_SECONDS = 30.0
_STALLED_SECONDS = 30.0


class Connection:
    """An open channel in confirm mode.

    Parameters:
        options: the options of `type: pika`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """

    def __init__(self, options: PikaOptions) -> None:
        self._parameters = parameters(options)
        self._exchange = options.exchange
        self._routing_key = "" if options.exchange else options.queues[0]
        self._environment = os.environ.get("RASA_ENVIRONMENT") or None
        self._blocked = False
        self._lock = threading.Lock()
        self._next_tag = 1
        self._batch: Batch | None = None
        self._failure: BaseException | None = None
        self._channel: Any = None
        self._opened = threading.Event()
        self._thread = ConnectionThread(self._parameters, self._on_open, self._lost)
        self._thread.start()
        try:
            self._wait_until_open()
        except EventBrokersError:
            self.close()
            raise

    def publish(self, events: Sequence[Event]) -> None:
        """Publish a batch and return when the last of it is confirmed.

        Raises:
            RejectedEvents: an event is larger than RabbitMQ takes; the connection stays usable.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not delivered, or not known.
        """
        self._wait_until_open()
        batch = Batch(events)
        with self._lock:
            self._batch = batch
            if self._failure is not None:
                batch.fail(self._failure)
        self._thread.call(lambda: self._send(batch))
        self._wait_until_done(batch)
        if batch.failure is not None:
            raise self._meaning(batch, batch.failure) from batch.failure
        batch.raise_for_undelivered()

    def close(self) -> None:
        """Close the connection and end its thread, within some seconds."""
        self._thread.close()

    # what follows runs on the connection's own thread

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel, self._next_tag = channel, 1
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(self._on_confirmed, callback=lambda _frame: self._opened.set())

    def _on_blocked(self, _connection: Any, _frame: Any) -> None:
        self._blocked = True
        logger.warning("pika: %s; events wait", BLOCKED)

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self._blocked = False
        logger.warning("pika: RabbitMQ takes events again")

    def _lost(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error
            if self._batch is not None:
                self._batch.fail(self._failure)
        self._opened.set()

    def _on_channel_closed(self, channel: Any, error: BaseException) -> None:
        self._opened.clear()
        with self._lock:
            if self._batch is not None:
                self._batch.fail(error)
        if channel.connection.is_open:
            # one event that is too large must not cost the others their connection
            channel.connection.channel(on_open_callback=self._on_channel_open)

    def _send(self, batch: Batch) -> None:
        try:
            for event in batch.events:
                if batch.done.is_set():
                    return
                batch.unconfirmed[self._next_tag] = event.id
                self._next_tag += 1
                self._channel.basic_publish(
                    self._exchange,
                    self._routing_key,
                    event.body,
                    properties(event, self._environment),
                    mandatory=True,
                )
        except AMQPError as error:
            self._lost(error)

    def _on_returned(self, _channel: Any, method: Any, returned: Any, _body: bytes) -> None:
        if self._batch is not None:
            self._batch.returned(returned.message_id, method.reply_text)

    def _on_confirmed(self, frame: Any) -> None:
        if self._batch is not None:
            self._batch.answered(frame.method)

    # what follows runs on the thread that publishes

    def _wait_until_open(self) -> None:
        if not self._opened.wait(_OPEN_SECONDS):
            raise BrokerUnavailable(f"{place(self._parameters)} does not answer")
        if self._failure is not None:
            raise meaning(self._failure, self._parameters) from self._failure

    def _wait_until_done(self, batch: Batch) -> None:
        """Wait for the last confirm, as long as there is any progress."""
        left, moved_at = len(batch.events), time.monotonic()
        while not batch.done.wait(1.0):
            # an alarm ends by itself, or by blocked_connection_timeout
            if self._blocked or len(batch.unconfirmed) != left:
                left, moved_at = len(batch.unconfirmed), time.monotonic()
            if time.monotonic() - moved_at > _STALLED_SECONDS:
                raise BrokerUnavailable(
                    f"{place(self._parameters)} confirmed nothing for {_STALLED_SECONDS:.0f} s",
                    batch.confirmed,
                )

    def _meaning(self, batch: Batch, failure: BaseException) -> EventBrokersError:
        limit = size_limit(failure)
        if limit is None:
            return meaning(failure, self._parameters, batch.confirmed)
        return RejectedEvents(
            {
                event.id: f"{len(event.body)} bytes are more than the {limit} that RabbitMQ takes"
                for event in batch.events
                if len(event.body) > limit
            },
            confirmed=batch.confirmed,
        )
