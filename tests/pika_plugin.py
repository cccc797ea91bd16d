"""What tests of the pika plugin share: options for the real server, and a plain client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any

import pytest

from event_brokers import ConfigurationError, Event, Secret, SecretUrl
from event_brokers_pika import PikaOptions, PikaProducer, hooks
from event_brokers_pika.connection import Connection
from servers import RabbitMQ
from waiting import wait_until

SECONDS_TO_SAY_WHAT_IS_WRONG = 10.0


def an_event(number: int = 0, size: int = 0) -> Event:
    """Return an event whose body says its number."""
    return Event.from_dict(
        {"sender_id": "s", "event": "user", "number": number, "text": "x" * size}
    )


def plain(server: RabbitMQ, name: str | list[str] | None = None, **given: Any) -> PikaOptions:
    """Return options for the listener without TLS.

    Parameters:
        server: where to.
        name: the option `queue`.
        given: further options.
    """
    options: dict[str, Any] = {
        "url": SecretUrl(server.host),
        "port": server.port,
        "username": server.username,
        "password": Secret(server.password),
        "queue": name,
    }
    return PikaOptions(**(options | given))


def secure(server: RabbitMQ, name: str, **given: Any) -> PikaOptions:
    """Return options for the listener with TLS."""
    options: dict[str, Any] = {
        "url": SecretUrl(server.tls_url),
        "queue": name,
        "ssl_cafile": str(server.certificates.ca),
    }
    return PikaOptions(**(options | given))


def producer(server: RabbitMQ, name: str, **given: Any) -> PikaProducer:
    """Return an EventBroker for the listener without TLS."""
    login = (server.host, server.username, server.password)
    return PikaProducer(*login, port=server.port, queue=name, **given)


def connect(options: PikaOptions, used: set[str] | None = None) -> Connection:
    """Return a connection as the core gets it.

    Parameters:
        options: of the plugin.
        used: what earlier connections have used; nothing unless given.
    """
    opened: Connection = hooks.connect(options, set() if used is None else used)
    return opened


@contextmanager
def connected(options: PikaOptions, used: set[str] | None = None) -> Iterator[Connection]:
    """Hand out a connection as the core gets it, and close it."""
    with closing(connect(options, used)) as opened:
        yield opened


@contextmanager
def channel(server: RabbitMQ) -> Iterator[Any]:
    """Hand out a channel of the plain client."""
    with server.connection() as plain_client:
        yield plain_client.channel()


def stored(server: RabbitMQ, name: str, count: int, timeout: float = 30.0) -> list[Any]:
    """Take messages from a queue until it gave so many different ones.

    Returns all of them, in order, each as (method, properties, body).
    """
    messages: list[Any] = []
    with channel(server) as opened:

        def enough() -> bool:
            message = opened.basic_get(name, auto_ack=True)
            if message[0] is not None:
                messages.append(message)
            return len(ids(messages)) >= count

        wait_until(enough, timeout)
    return messages


def ids(messages: list[Any]) -> list[str]:
    """Return the events' ids, each once, in the order in which they came first."""
    return list(dict.fromkeys(properties.message_id for _method, properties, _body in messages))


def bodies(messages: list[Any]) -> list[bytes]:
    """Return the bodies, each once, in the order in which they came first."""
    return list(dict.fromkeys(body for _method, _properties, body in messages))


def exists(server: RabbitMQ, kind: str, name: str) -> bool:
    """Return whether there is a queue or an exchange of this name."""
    return name in server.control(f"list_{kind}s", "name").split()


def what_is_wrong(
    attempt: Callable[[], object],
    kind: type[Exception],
    seconds: float = SECONDS_TO_SAY_WHAT_IS_WRONG,
) -> str:
    """Return the sentence with which an attempt fails, which must be soon."""
    begin = time.monotonic()
    with pytest.raises(kind) as caught:
        attempt()
    assert type(caught.value) is kind
    assert time.monotonic() - begin < seconds
    return str(caught.value)


def open_connection(options: PikaOptions) -> Connection:
    """Open the connection that publishes, without a look at the queues before."""
    return Connection(options, set(), [])


def refusals(options: PikaOptions) -> set[str]:
    """Return the sentences with which each way to connect refuses; they should be one."""
    attempts = [partial(attempt, options) for attempt in (connect, hooks.check, open_connection)]
    return {what_is_wrong(attempt, ConfigurationError) for attempt in attempts}
