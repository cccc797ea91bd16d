"""A connection that takes the messages of one queue, ahead of whoever works on them."""

from __future__ import annotations

import queue
import threading
from typing import Any, NamedTuple

import pika
from pika.exceptions import ConsumerCancelled

from event_brokers_pika.connection_thread import ConnectionThread
from event_brokers_pika.failures import meaning
from event_brokers_pika.group import Source

PREFETCH = 200
_WRITE_SECONDS = 1.0
_RIGHTS_ON_QUEUE, _RIGHTS_ON_OWN_QUEUE = "read", "configure, read and write"


class Message(NamedTuple):
    """A message as RabbitMQ delivered it.

    Attributes:
        tag: its delivery tag, which is counted up on a channel.
        properties: what travelled beside the body.
        body: as it was published.
    """

    tag: int
    properties: pika.BasicProperties
    body: bytes


class Subscription:
    """Messages of one queue, in its order, each to be acknowledged.

    What is not acknowledged when the connection ends goes back to its place in the queue.

    Parameters:
        parameters: of the connection; it is begun here, see `is_open`.
        source: what to consume.
    """

    def __init__(self, parameters: pika.ConnectionParameters, source: Source) -> None:
        self._parameters = parameters
        self._source = source
        # never longer than the prefetch: RabbitMQ sends no more until some are acknowledged
        self._arrived: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._handled = self._acknowledged = self._written = 0
        self._failure: BaseException | None = None
        self._connection: Any = None
        self._channel: Any = None
        self._opened = threading.Event()
        self._thread = ConnectionThread(parameters, self._on_open, self._lost)
        self._thread.start()

    def is_open(self, seconds: float) -> bool:
        """Wait for the connection, and return whether it is open.

        Parameters:
            seconds: to wait at most.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: RabbitMQ cannot be reached now.
        """
        opened = self._opened.wait(seconds)
        self._raise_failure()
        return opened

    def start(self) -> None:
        """Have the messages sent, from now on; the queue must be there."""
        self._thread.call(self._open_channel)

    def next(self, seconds: float) -> Message | None:
        """Return the next message; None where none arrives.

        Parameters:
            seconds: to wait at most.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: the connection is lost, or the queue is gone.
        """
        try:
            message = self._arrived.get_nowait()
        except queue.Empty:
            message = self._wait(seconds)
        # RabbitMQ sends again what had arrived before the failure
        self._raise_failure()
        return message

    def acknowledge(self, message: Message) -> None:
        """Let RabbitMQ forget a message, and with it all before it."""
        self._handled = message.tag
        self._thread.call(self._acknowledge)

    def close(self) -> None:
        """Send the acknowledgements that wait, close, and end the thread, within some seconds."""
        self._thread.close()

    def _wait(self, seconds: float) -> Message | None:
        self._write_acknowledgements()
        try:
            return self._arrived.get(timeout=seconds)
        except queue.Empty:
            return None

    def _write_acknowledgements(self) -> None:
        if self._written == self._handled:
            return
        done = threading.Event()
        # pika writes between two rounds of its loop
        self._thread.call(lambda: self._thread.call(done.set))
        done.wait(_WRITE_SECONDS)
        self._written = self._handled

    def _raise_failure(self) -> None:
        if self._failure is not None:
            rights = _RIGHTS_ON_QUEUE if self._source.queue else _RIGHTS_ON_OWN_QUEUE
            raise meaning(
                self._failure, self._parameters, rights_on_queue=rights
            ) from self._failure

    # what follows runs on the connection's own thread

    def _on_open(self, connection: Any) -> None:
        self._connection = connection
        self._opened.set()

    def _open_channel(self) -> None:
        if self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _channel, error: self._lost(error))
        channel.add_on_cancel_callback(lambda frame: self._lost(ConsumerCancelled(frame)))
        channel.basic_qos(prefetch_count=PREFETCH)
        if self._source.queue is None:
            channel.queue_declare(
                "", exclusive=True, auto_delete=True, callback=self._on_own_queue_declared
            )
        else:
            channel.basic_consume(self._source.queue, self._on_message)

    def _on_own_queue_declared(self, frame: Any) -> None:
        name = frame.method.queue
        self._channel.queue_bind(name, self._source.exchange, routing_key="")
        self._channel.basic_consume(name, self._on_message)

    def _on_message(self, _channel: Any, method: Any, properties: Any, body: bytes) -> None:
        self._arrived.put(Message(method.delivery_tag, properties, body))

    def _acknowledge(self) -> None:
        # the first call of a round acknowledges for those behind it, too
        if self._acknowledged != self._handled and self._channel.is_open:
            self._acknowledged = self._handled
            self._channel.basic_ack(self._acknowledged, multiple=True)

    def _lost(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._opened.set()
        self._arrived.put(None)  # whoever waits need not wait on
