"""What a place is, and which there are, each by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from servers import Kafka, MariaDB, PostgreSQL, RabbitMQ, ServerProcess

_SERVERS: dict[str, Any] = {
    "rabbitmq": RabbitMQ,
    "refusing": RabbitMQ,
    "kafka": Kafka,
    "postgresql": PostgreSQL,
    "mariadb": MariaDB,
}
_MODULES = {
    "rabbitmq": "rabbitmq",
    "refusing": "rabbitmq",
    "kafka": "kafka",
    "sqlite": "databases",
    "postgresql": "databases",
    "mariadb": "databases",
    "down": "stand_ins",
    "noting": "stand_ins",
}


@dataclass(frozen=True)
class Place:
    """One place.

    Attributes:
        empty: makes a new queue, topic or table ready, and returns the section that names it; it is
            given the folder of the turn.
        read: returns the bodies of what has arrived there, in order; it is given the same folder.
        server: that can be killed, where there is one.
    """

    empty: Callable[[Path], dict[str, Any]]
    read: Callable[[Path], Iterator[bytes | str]]
    server: ServerProcess | None = None


def missing(name: str) -> str | None:
    """Return why the place cannot be had here and what to install, or None where it can."""
    if name not in _SERVERS:
        return None
    reason: str | None = _SERVERS[name].missing()
    return reason


@contextmanager
def opened(name: str) -> Iterator[Place]:
    """Open a place, and close it at the end.

    Parameters:
        name: of the place.
    """
    make: Callable[..., AbstractContextManager[Place]]
    make = getattr(import_module(f"benchmarks.places.{_MODULES[name]}"), name)
    if name not in _SERVERS:
        with make() as place:
            yield place
        return
    with _SERVERS[name]() as server, make(server) as place:
        yield place
