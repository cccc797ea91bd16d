"""A good plugin that is a module, with typed options."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from event_brokers import Event, ReceivedEvent, hookimpl
from testing.ledger import Ledger, LedgerOptions, Session

_LEDGER = Ledger()


@hookimpl
def connect(options: LedgerOptions) -> Session:
    """Sign in."""
    session: Session = _LEDGER.open(options)
    return session


@hookimpl
def publish(connection: Session, events: Sequence[Event]) -> None:
    """Store the batch."""
    _LEDGER.send(connection, events)


@hookimpl
def close(connection: Session) -> None:
    """Close the session."""
    connection.end()


@hookimpl(specname="options")
def options_class() -> type[LedgerOptions]:
    """Return the options class."""
    return LedgerOptions


@hookimpl
def check(options: LedgerOptions) -> Sequence[str]:
    """Look at the ledger."""
    return _LEDGER.inspect(options)


@hookimpl
def consume(
    options: LedgerOptions, group: str | None, from_start: bool, used: set[str]
) -> Iterator[ReceivedEvent | None]:
    """Yield what stands in the ledger."""
    used.add(options.ledger)
    received: Any = _LEDGER.receive(options, group, from_start)
    return iter(received)
