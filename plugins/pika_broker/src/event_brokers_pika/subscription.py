"""The messages of one queue, for the thread that works on them; some are fetched ahead."""

from __future__ import annotations

import queue
import threading

from pika.exceptions import ConsumerCancelled

from event_brokers_pika.connection_thread import ConnectionThread
from event_brokers_pika.consuming_channel import ConsumingChannel, Message
from event_brokers_pika.failures import translate
from event_brokers_pika.group import Source
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import make_parameters
from event_brokers_pika.server import find_server

_WRITE_SECONDS = 1.0
_RIGHTS_ON_QUEUE, _RIGHTS_ON_OWN_QUEUE = "read", "configure, read and write"


class Subscription:
    """Messages of one queue, in its order, each to be acknowledged.

    What is not acknowledged when the connection ends goes back to its place in the queue.

    Parameters:
        options: the options of `type: pika`; the connection is begun here, see `is_open`.
        source: what to consume.
    """

    def __init__(self, options: PikaOptions, source: Source) -> None:
        self._server = find_server(options)
        self._rights = _RIGHTS_ON_QUEUE if source.queue else _RIGHTS_ON_OWN_QUEUE
        self._written = 0
        self._channel = ConsumingChannel(source)
        self._thread = ConnectionThread(make_parameters(options), self._channel)

    @property
    def is_cancelled(self) -> bool:
        """Whether RabbitMQ has ended the consumer, and left the connection open."""
        return isinstance(self._channel.failure, ConsumerCancelled)

    def is_open(self, seconds: float) -> bool:
        """Wait for the connection, and return whether it is open.

        Parameters:
            seconds: to wait at most.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: RabbitMQ cannot be reached now.
        """
        opened = self._channel.opened.wait(seconds)
        self._raise_failure()
        return opened

    def start(self) -> None:
        """Have the messages sent, from now on; the queue must be there."""
        self._thread.call_soon(self._channel.start)

    def next(self, seconds: float) -> Message | None:
        """Return the next message; None where none arrives.

        Parameters:
            seconds: to wait at most.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: the connection is lost, or the queue is gone.
        """
        try:
            message = self._channel.arrived.get_nowait()
        except queue.Empty:
            message = self._wait(seconds)
        # RabbitMQ sends again what had arrived before the failure
        self._raise_failure()
        return message

    def acknowledge(self, message: Message) -> None:
        """Let RabbitMQ forget a message, and with it all before it."""
        self._channel.handled = message.tag
        self._thread.call_soon(self._channel.acknowledge)

    def close(self) -> None:
        """Send the acknowledgements that wait, close, and end the thread, within some seconds."""
        self._thread.close()

    def _wait(self, seconds: float) -> Message | None:
        self._write_acknowledgements()
        try:
            return self._channel.arrived.get(timeout=seconds)
        except queue.Empty:
            return None

    def _write_acknowledgements(self) -> None:
        if self._written == self._channel.handled:
            return
        done = threading.Event()
        # pika writes between two rounds of its loop
        self._thread.call_soon(lambda: self._thread.call_soon(done.set))
        done.wait(_WRITE_SECONDS)
        self._written = self._channel.handled

    def _raise_failure(self) -> None:
        failure = self._channel.failure
        if failure is not None:
            raise translate(failure, self._server, rights_on_queue=self._rights) from failure
