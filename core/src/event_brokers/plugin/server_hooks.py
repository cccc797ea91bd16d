"""The hooks of a type with one server and one place in it, made of the author's connection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from event_brokers.event import Event, ReceivedEvent
from event_brokers.hookspecs import hookimpl
from event_brokers.plugin.opening import closed_on_failure
from event_brokers.plugin.server import (
    ServerOptions,
    describe,
    explaining,
    refuse_to_make_again,
)


class ServerConnection(Protocol):
    """What an author writes: a connection to the server, in which the events have one place.

    Whatever its methods let through of the client's errors is explained by the hooks.
    """

    @property
    def options(self) -> ServerOptions:
        """What it was made of."""

    def has_place(self) -> bool:
        """Ask the server whether the place is there; it is the first that is asked."""

    def make_place(self) -> None:
        """Make the place, which is missing and always was."""

    def publish(self, events: Sequence[Event]) -> None:
        """Do what the hook `publish` is to do."""

    def close(self) -> None:
        """Do what the hook `close` is to do."""


_Connection = TypeVar("_Connection", bound=ServerConnection)


@dataclass(frozen=True, kw_only=True)
class ServerHooks(Generic[_Connection]):
    """The hooks `options`, `connect`, `publish`, `close` and `check`; an instance is a plugin.

    Attributes:
        options_class: the type's options.
        open_connection: makes a ServerConnection of them; its class will do.
        place: the option that names the place, such as "stream".
        denied: classes of the client's errors that say that the server does not let the user in.
        lost: classes of the client's errors that are not about an event; those of the standard
            library are known.
    """

    options_class: type[ServerOptions]
    open_connection: Callable[[Any], _Connection]
    place: str
    denied: tuple[type[Exception], ...]
    lost: tuple[type[Exception], ...] = ()

    @hookimpl
    def options(self) -> type[ServerOptions]:
        """Return the options class."""
        return self.options_class

    @hookimpl
    def connect(self, options: ServerOptions, used: set[str]) -> _Connection:
        """Open a connection, and make the place where it is missing and always was."""
        name = getattr(options, self.place)
        with self._explaining(options), closed_on_failure(self.open_connection(options)) as opened:
            if not opened.has_place():
                refuse_to_make_again(self.place, name, used)
                opened.make_place()
        used.add(name)
        return opened

    @hookimpl
    def publish(self, connection: _Connection, events: Sequence[Event]) -> None:
        """Publish through the connection."""
        with self._explaining(connection.options):
            connection.publish(events)

    @hookimpl
    def close(self, connection: _Connection) -> None:
        """Close the connection."""
        connection.close()

    @hookimpl
    def check(self, options: ServerOptions) -> Sequence[str]:
        """Open a connection, look for the place, and close the connection."""
        with self._explaining(options), closing(self.open_connection(options)) as opened:
            is_there = opened.has_place()
        return describe(options, f"{self.place} '{getattr(options, self.place)}'", is_there)

    def _explaining(self, options: ServerOptions) -> AbstractContextManager[None]:
        return explaining(options, self.denied, self.lost)


@dataclass(frozen=True, kw_only=True)
class ConsumingHooks(ServerHooks[_Connection]):
    """Those of ServerHooks, and the hook `consume`.

    Attributes:
        read: does what the hook `consume` is to do; takes the connection, which is closed behind
            it, the group, and whether it begins with the oldest event.
    """

    read: Callable[[_Connection, str | None, bool], Iterator[ReceivedEvent | None]]

    @hookimpl
    def consume(
        self, options: ServerOptions, group: str | None, from_start: bool, used: set[str]
    ) -> Iterator[ReceivedEvent | None]:
        """Read through a connection of its own."""
        with self._explaining(options), closing(self.connect(options, used)) as connection:
            yield from self.read(connection, group, from_start)
