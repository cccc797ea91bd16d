"""A durable queue in RabbitMQ, which takes everything or may refuse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.places.place import Place
from servers import RabbitMQ

_QUEUE = "measured"
_SILENT_SECONDS = 0.5


@contextmanager
def rabbitmq(server: RabbitMQ) -> Iterator[Place]:
    """Return a queue that takes everything."""
    yield _queue(server, {})


@contextmanager
def refusing(server: RabbitMQ) -> Iterator[Place]:
    """Return a queue that would refuse what it has no room for: it has room."""
    yield _queue(server, {"x-max-length": 1_000_000, "x-overflow": "reject-publish"})


def _queue(server: RabbitMQ, arguments: dict[str, Any]) -> Place:
    def empty(_: Path) -> dict[str, Any]:
        with server.connection() as connection:
            channel = connection.channel()
            channel.queue_delete(_QUEUE)
            channel.queue_declare(_QUEUE, durable=True, arguments=arguments)
        return {
            "type": "pika", "url": server.host, "port": server.port, "queue": _QUEUE,
            "username": server.username, "password": server.password,
            "queue_arguments": arguments,
        }  # fmt: skip

    def read(_: Path) -> Iterator[bytes]:
        with server.connection() as connection:
            channel = connection.channel()
            left = channel.queue_declare(_QUEUE, passive=True).method.message_count
            for method, _properties, body in channel.consume(
                _QUEUE, auto_ack=True, inactivity_timeout=_SILENT_SECONDS
            ):
                if method is None:
                    return
                yield body
                left -= 1
                if left == 0:
                    return

    return Place(empty, read, server)
