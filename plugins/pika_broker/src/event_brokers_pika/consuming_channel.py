"""The channel that messages arrive on: what happens to it on its connection's thread."""

from __future__ import annotations

import queue
import threading
from typing import Any, NamedTuple

import pika
from pika.exceptions import ConsumerCancelled

from event_brokers_pika.group import Source

PREFETCH = 200


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


class ConsumingChannel:
    """Takes the messages of one queue, and acknowledges those that were handled.

    Parameters:
        source: what to consume.

    Attributes:
        opened: set when the connection is open, or is lost.
        arrived: the messages in their order; None where the connection was lost. Never longer
            than the prefetch: RabbitMQ sends no more until some are acknowledged.
        failure: why the connection, the channel or the consumer ended.
        handled: tag of the latest message that was worked on; set by the thread that does.
    """

    def __init__(self, source: Source) -> None:
        self.opened = threading.Event()
        self.arrived: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self.failure: BaseException | None = None
        self.handled = 0
        self._source = source
        self._connection: Any = None
        self._channel: Any = None
        self._acknowledged = 0

    def start(self) -> None:
        """Have the messages sent; the queue must be there."""
        if self._connection.is_open:
            self._connection.channel(on_open_callback=self._on_channel_open)

    def acknowledge(self) -> None:
        """Let RabbitMQ forget every message up to `handled`."""
        # the first call of a round acknowledges for those behind it, too
        if self._acknowledged != self.handled and self._channel.is_open:
            self._acknowledged = self.handled
            self._channel.basic_ack(self._acknowledged, multiple=True)

    def on_open(self, connection: Any) -> None:
        """Keep the connection until there is something to consume."""
        self._connection = connection
        self.opened.set()

    def on_lost(self, error: BaseException) -> None:
        """Let nobody wait for a message any more."""
        if self.failure is None:
            self.failure = error
        self.opened.set()
        self.arrived.put(None)

    def _on_channel_open(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(lambda _channel, error: self.on_lost(error))
        channel.add_on_cancel_callback(lambda frame: self.on_lost(ConsumerCancelled(frame)))
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
        self.arrived.put(Message(method.delivery_tag, properties, body))
