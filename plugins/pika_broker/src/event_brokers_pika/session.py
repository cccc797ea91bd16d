"""A short connection that asks RabbitMQ for queues and exchanges, and makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from event_brokers import ConfigurationError
from event_brokers_pika.failures import (
    find_type_of_exchange,
    is_about_a_stream,
    is_about_durability,
    is_not_found,
    translate,
)
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import make_parameters
from event_brokers_pika.places import Place
from event_brokers_pika.server import Server, find_server

_HEARTBEAT_SECONDS = 2  # pika finds silence within twice this and ten seconds
# no exchange has a number for its alternate exchange, so RabbitMQ makes none of these
_NEVER_MADE = {"alternate-exchange": 0}


class Session:
    """What can be asked of RabbitMQ, and be made there, one call after the other.

    Parameters:
        connection: pika's, open.
        server: what it leads to.

    Attributes:
        server: as given.
    """

    def __init__(self, connection: pika.BlockingConnection, server: Server) -> None:
        self._connection = connection
        self.server = server

    def has(self, place: Place) -> bool:
        """Return whether there is a queue, or an exchange, of this name."""
        if place.kind == "queue":
            return self._finds(lambda channel: channel.queue_declare(place.name, passive=True))
        return self._finds(lambda channel: channel.exchange_declare(place.name, passive=True))

    def describe(self, place: Place) -> Place:
        """Return a place that is there as it is to be remembered.

        Raises:
            ConfigurationError: it is an exchange of another type.
        """
        if place.kind == "queue":
            return place
        refusal = self._find_refusal(place.name)
        kind = refusal and find_type_of_exchange(refusal)
        if kind:
            raise ConfigurationError(
                f"event_broker.exchange_name: '{place.name}' is a {kind} exchange; "
                "name a fanout exchange, or one that does not exist yet"
            ) from refusal
        return place.as_transient if refusal and is_about_durability(refusal) else place

    def make(self, place: Place, arguments: Mapping[str, Any]) -> None:
        """Make a queue, which is durable, or a fanout exchange.

        Parameters:
            place: what to make.
            arguments: of a queue.
        """
        if place.kind == "queue":
            self._call(
                lambda channel: channel.queue_declare(
                    place.name, durable=True, arguments=dict(arguments)
                )
            )
        else:
            durable = place.kind == "exchange"
            self._call(
                lambda channel: channel.exchange_declare(place.name, "fanout", durable=durable)
            )

    def bind(self, queue: str, exchange: str) -> None:
        """Have a queue get what is published to an exchange; nothing changes where it does."""
        self._call(lambda channel: channel.queue_bind(queue, exchange, routing_key=""))

    def is_stream(self, queue: str) -> bool:
        """Return whether a queue is a stream; nothing is taken from it."""
        try:
            # a stream wants a prefetch count, and any other queue refuses the argument
            self._call(
                lambda channel: channel.basic_consume(
                    queue, lambda *_: None, arguments={"x-stream-offset": "next"}
                )
            )
        except ChannelClosedByBroker as error:
            return is_about_a_stream(error)
        return False

    def _find_refusal(self, exchange: str) -> ChannelClosedByBroker | None:
        """Return why RabbitMQ does not declare an exchange again as a durable fanout exchange."""
        try:
            # a passive declare says nothing about the type, and this one never succeeds
            self._call(
                lambda channel: channel.exchange_declare(
                    exchange, "fanout", durable=True, arguments=_NEVER_MADE
                )
            )
        except ChannelClosedByBroker as error:
            return error
        return None

    def _finds(self, declare_passively: Callable[[BlockingChannel], Any]) -> bool:
        try:
            self._call(declare_passively)
        except ChannelClosedByBroker as error:
            if not is_not_found(error):
                raise
            return False
        return True

    def _call(self, call: Callable[[BlockingChannel], Any]) -> None:
        # RabbitMQ closes a channel on which something went wrong, so each call has its own
        channel = self._connection.channel()
        call(channel)
        channel.close()


@contextmanager
def open_session(options: PikaOptions) -> Iterator[Session]:
    """Connect, and close at the end of the block.

    Parameters:
        options: the options of `type: pika`.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    server, parameters = find_server(options), make_parameters(options)
    # pika waits for an answer as long as there are heartbeats, and without them for ever
    parameters.heartbeat = _HEARTBEAT_SECONDS
    connection = None
    try:
        connection = pika.BlockingConnection(parameters)
        yield Session(connection, server)
    except (AMQPError, OSError) as error:
        raise translate(error, server) from error
    finally:
        if connection is not None and connection.is_open:
            connection.close()
