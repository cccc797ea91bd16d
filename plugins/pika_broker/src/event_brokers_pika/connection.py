"""One connection to RabbitMQ, with a thread of its own that answers heartbeats."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

import pika
from pika.exceptions import AMQPConnectionError, AMQPError

from event_brokers import BrokerUnavailable, Event
from event_brokers_pika.address import parameters, place
from event_brokers_pika.failures import meaning
from event_brokers_pika.options import PikaOptions

_OPEN_SECONDS = 30.0
_CLOSE_SECONDS = 5.0
_STALLED_SECONDS = 30.0
_SHORT_STRING_BYTES = 255
_PERSISTENT = 2


class _Batch:
    """The events that are under way, and what RabbitMQ has said of them."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = events
        self.unconfirmed: dict[int, str] = {}  # delivery tag -> event id, tags ascending
        self.confirmed: set[str] = set()
        self.refused: set[str] = set()
        self.returned: dict[str, str] = {}
        self.failure: BaseException | None = None
        self.done = threading.Event()


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
        self._batch: _Batch | None = None
        self._failure: BaseException | None = None
        self._channel: Any = None
        self._opened = threading.Event()
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._on_open,
            on_open_error_callback=self._on_lost,
            on_close_callback=self._on_lost,
        )
        self._thread = threading.Thread(
            target=self._run, name="event-brokers-pika-connection", daemon=True
        )
        self._thread.start()
        self._wait_until_open()

    def publish(self, events: Sequence[Event]) -> None:
        """Publish a batch and return when the last of it is confirmed.

        Raises:
            RejectedEvents: an event is larger than RabbitMQ takes.
            ConfigurationError: a person must change something.
            BrokerUnavailable: not delivered, or not known.
        """
        batch = _Batch(events)
        with self._lock:
            if self._failure is not None:
                raise meaning(self._failure, self._parameters) from self._failure
            self._batch = batch
        self._connection.ioloop.add_callback_threadsafe(lambda: self._send(batch))
        self._wait_until_done(batch)
        confirmed = batch.confirmed - batch.returned.keys()
        if batch.failure is not None:
            raise meaning(batch.failure, self._parameters, confirmed) from batch.failure
        if batch.returned:
            reason = next(iter(batch.returned.values()))
            raise BrokerUnavailable(
                f"RabbitMQ returned {len(batch.returned)} events: {reason}", confirmed
            )
        if batch.refused:
            raise BrokerUnavailable(
                f"the queue refuses {len(batch.refused)} events (nack); "
                "it may have reached its max-length",
                confirmed,
            )

    def close(self) -> None:
        """Close the connection and end its thread, within some seconds."""
        if self._thread.is_alive():
            self._connection.ioloop.add_callback_threadsafe(self._close)
            self._thread.join(_CLOSE_SECONDS)
        if self._thread.is_alive():
            self._connection.ioloop.add_callback_threadsafe(self._connection.ioloop.stop)
            self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._connection.ioloop.close()

    # what follows runs on the connection's own thread

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this thread
            self._lost(error)
        finally:
            self._lost(AMQPConnectionError("the connection has ended"))

    def _on_open(self, connection: Any) -> None:
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        channel.add_on_return_callback(self._on_returned)
        channel.confirm_delivery(self._on_confirmed, callback=lambda _frame: self._opened.set())

    def _on_blocked(self, _connection: Any, _frame: Any) -> None:
        self._blocked = True

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self._blocked = False

    def _on_lost(self, _connection: Any, error: BaseException | str) -> None:
        self._lost(error if isinstance(error, BaseException) else AMQPConnectionError(error))
        self._connection.ioloop.stop()

    def _on_channel_closed(self, _channel: Any, error: BaseException) -> None:
        self._lost(error)

    def _lost(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None:
                self._failure = error
            self._opened.set()
            if self._batch is not None:
                self._batch.failure = self._failure
                self._batch.done.set()

    def _send(self, batch: _Batch) -> None:
        if batch.done.is_set():
            return
        try:
            for event in batch.events:
                batch.unconfirmed[self._next_tag] = event.id
                self._next_tag += 1
                self._channel.basic_publish(
                    self._exchange,
                    self._routing_key,
                    event.body,
                    self._properties(event),
                    mandatory=True,
                )
        except AMQPError as error:
            self._lost(error)

    def _properties(self, event: Event) -> pika.BasicProperties:
        return pika.BasicProperties(
            content_type="application/json",
            delivery_mode=_PERSISTENT,
            message_id=event.id,
            type=_short(event.type),
            timestamp=_seconds(event.timestamp),
            app_id=_short(self._environment),
            headers=event.headers,
        )

    def _on_returned(self, _channel: Any, method: Any, properties: Any, _body: bytes) -> None:
        # RabbitMQ confirms what it returns, too; the return comes first
        if self._batch is not None:
            self._batch.returned[properties.message_id] = method.reply_text

    def _on_confirmed(self, frame: Any) -> None:
        batch, method = self._batch, frame.method
        if batch is None:
            return
        answered = batch.confirmed if isinstance(method, pika.spec.Basic.Ack) else batch.refused
        for tag in _answered_tags(batch.unconfirmed, method):
            answered.add(batch.unconfirmed.pop(tag))
        if not batch.unconfirmed:
            batch.done.set()

    def _close(self) -> None:
        if self._connection.is_open:
            self._connection.close()
        elif not self._connection.is_closing:
            self._connection.ioloop.stop()

    # what follows runs on the thread that publishes

    def _wait_until_open(self) -> None:
        opened = self._opened.wait(_OPEN_SECONDS)
        if opened and self._failure is None:
            return
        self.close()
        if self._failure is None or not opened:
            raise BrokerUnavailable(f"{place(self._parameters)} did not answer in time")
        raise meaning(self._failure, self._parameters) from self._failure

    def _wait_until_done(self, batch: _Batch) -> None:
        """Wait for the last confirm, as long as there is any progress."""
        left, moved_at = len(batch.events), time.monotonic()
        while not batch.done.wait(1.0):
            if len(batch.unconfirmed) != left:
                left, moved_at = len(batch.unconfirmed), time.monotonic()
            if time.monotonic() - moved_at > _STALLED_SECONDS:
                raise BrokerUnavailable(self._stalled(), batch.confirmed - batch.returned.keys())

    def _stalled(self) -> str:
        if self._blocked:
            return "RabbitMQ blocks publishers, by a memory or disk alarm"
        return f"{place(self._parameters)} confirmed nothing for {_STALLED_SECONDS:.0f} s"


def _answered_tags(unconfirmed: dict[int, str], method: Any) -> list[int]:
    if not method.multiple:
        return [method.delivery_tag] if method.delivery_tag in unconfirmed else []
    tags = []
    for tag in unconfirmed:
        if tag > method.delivery_tag:
            break
        tags.append(tag)
    return tags


def _short(text: str | None) -> str | None:
    # the header event_type carries what an AMQP short string cannot
    if text is None or len(text.encode()) > _SHORT_STRING_BYTES:
        return None
    return text


def _seconds(timestamp: float | None) -> int | None:
    # AMQP's timestamp is an unsigned number of 64 bits
    if timestamp is None or not 0 <= timestamp < 2**63:
        return None
    return int(timestamp)
