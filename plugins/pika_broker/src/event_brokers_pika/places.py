"""The queues and the exchange of the options: what a connection uses, and must find again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from event_brokers import ConfigurationError
from event_brokers_pika.options import PikaOptions
from event_brokers_pika.server import Server


class Place(NamedTuple):
    """A queue or an exchange; prints as it is remembered once it has been used.

    Attributes:
        kind: which of the two; a transient exchange, as Rasa makes it, ends with every restart of
            RabbitMQ, and is made again.
        name: its name.
    """

    kind: Literal["queue", "exchange", "transient exchange"]
    name: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.name}'"

    @property
    def as_transient(self) -> Place:
        """A durable exchange, as it is remembered where it is transient; any other place itself."""
        return self._replace(kind="transient exchange") if self.kind == "exchange" else self


def list_places(options: PikaOptions, queues: Sequence[str]) -> list[Place]:
    """Return the queues, and the exchange where there is one.

    Parameters:
        options: the options of `type: pika`.
        queues: those that are bound to the exchange, or are used alone.
    """
    exchanges = [Place("exchange", options.exchange)] if options.exchange else []
    return [*(Place("queue", name) for name in queues), *exchanges]


def place_to_make(place: Place, used: set[str]) -> Place:
    """Return what to make for a place that is missing: an exchange as it was when it was used.

    A Rasa that declares its transient exchange is refused by RabbitMQ where it is a durable one.

    Parameters:
        place: the one that is missing.
        used: what earlier connections have used.
    """
    return place.as_transient if str(place.as_transient) in used else place


def refuse_to_make(place: Place, options: PikaOptions, server: Server, used: set[str]) -> None:
    """Refuse to make a place that is missing, where it is not ours to make.

    Parameters:
        place: the one that is missing.
        options: the options of `type: pika`.
        server: where it is missing.
        used: what earlier connections have used.

    Raises:
        ConfigurationError: the options forbid it, or it was there before.
    """
    where = server.address
    option = f"event_broker.{options.queue_option if place.kind == 'queue' else 'exchange_name'}"
    if str(place) in used and place_to_make(place, used) == place:
        raise ConfigurationError(
            f"{option}: the {place} was used before and is gone from '{where}'; a new one "
            "is not made, for the old one may be on a node that is cut off, and what a new one "
            "holds would be lost then; make it again with its old arguments, or, if it was deleted "
            "on purpose, forget it: event-brokers spool forget-places, or a restart where there "
            "is no spool"
        )
    if not options.declare:
        raise ConfigurationError(
            f"{option}: '{where}' has no {place}, and declare is false; "
            "make it there, or take declare: false out"
        )
