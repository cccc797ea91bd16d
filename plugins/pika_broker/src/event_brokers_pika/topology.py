"""The queues and the exchange: looked at first, made where they are missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from event_brokers import ConfigurationError
from event_brokers_pika.failures import is_not_found, meaning, type_of_existing_exchange
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.parameters import parameters, place

_HEARTBEAT_SECONDS = 2  # pika finds silence within twice this and ten seconds


def prepare(options: PikaOptions, queues: Sequence[str]) -> None:
    """Make the queues, the exchange and the bindings that are missing.

    Parameters:
        options: the options of `type: pika`.
        queues: the queues to have, each bound to the exchange where there is one.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    with _connected(parameters(options)) as connection:
        for queue in queues:
            if not _has_queue(connection, queue):
                _on_channel(connection, partial(_declare_queue, name=queue))
        if options.exchange:
            if not _has_fanout_exchange(connection, options.exchange):
                _on_channel(connection, partial(_declare_exchange, name=options.exchange))
            _on_channel(connection, partial(_bind, exchange=options.exchange, queues=queues))


def look(options: PikaOptions) -> list[str]:
    """Return what was found at RabbitMQ, a sentence each, and change nothing.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: RabbitMQ cannot be reached now.
    """
    wanted = parameters(options)
    with _connected(wanted) as connection:
        found = [
            f"queue '{name}' {_found(_has_queue(connection, name))}" for name in options.queues
        ]
        if options.exchange:
            there = _has_fanout_exchange(connection, options.exchange)
            found.append(f"exchange '{options.exchange}' {_found(there)}")
    return [f"connected to {place(wanted)} as {_as(wanted, options)}", *found]


def _as(wanted: pika.ConnectionParameters, options: PikaOptions) -> str:
    user = f"'{wanted.credentials.username}', virtual host '{wanted.virtual_host}'"
    if wanted.ssl_options is None:
        return f"{user}, without TLS"
    checked = "with" if options.ssl_check_hostname else "without"
    return f"{user}, TLS {checked} hostname check"


def _found(there: bool) -> str:
    return "found" if there else "is missing; it is made at the first connect"


@contextmanager
def _connected(wanted: pika.ConnectionParameters) -> Iterator[pika.BlockingConnection]:
    connection = None
    # pika waits for an answer as long as there are heartbeats, and without them for ever
    wanted.heartbeat = _HEARTBEAT_SECONDS
    try:
        connection = pika.BlockingConnection(wanted)
        yield connection
    except (AMQPError, OSError) as error:
        raise meaning(error, wanted) from error
    finally:
        if connection is not None and connection.is_open:
            connection.close()


def _on_channel(
    connection: pika.BlockingConnection, call: Callable[[BlockingChannel], Any]
) -> None:
    # RabbitMQ closes a channel on which something went wrong, so each call has its own
    channel = connection.channel()
    call(channel)
    channel.close()


def _exists(
    connection: pika.BlockingConnection, declare_passively: Callable[[BlockingChannel], Any]
) -> bool:
    try:
        _on_channel(connection, declare_passively)
    except ChannelClosedByBroker as error:
        if not is_not_found(error):
            raise
        return False
    return True


def _has_queue(connection: pika.BlockingConnection, name: str) -> bool:
    return _exists(connection, lambda channel: channel.queue_declare(name, passive=True))


def _has_fanout_exchange(connection: pika.BlockingConnection, name: str) -> bool:
    if not _exists(connection, lambda channel: channel.exchange_declare(name, passive=True)):
        return False
    try:
        # a passive declare says nothing about the type; this one changes nothing that exists
        _on_channel(connection, partial(_declare_exchange, name=name))
    except ChannelClosedByBroker as error:
        kind = type_of_existing_exchange(error)
        if kind is not None:
            raise ConfigurationError(
                f"event_broker.exchange_name: '{name}' is a {kind} exchange; "
                "name a fanout exchange, or one that does not exist yet"
            ) from error
    return True


def _declare_queue(channel: BlockingChannel, name: str) -> None:
    channel.queue_declare(name, durable=True)


def _declare_exchange(channel: BlockingChannel, name: str) -> None:
    channel.exchange_declare(name, exchange_type="fanout", durable=True)


def _bind(channel: BlockingChannel, exchange: str, queues: Sequence[str]) -> None:
    for queue in queues:
        channel.queue_bind(queue, exchange, routing_key="")
