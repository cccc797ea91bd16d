"""What the hook `consume` has to do with what a broker hands over, the same for every broker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from event_brokers.event import ReceivedEvent

_Message = TypeVar("_Message")


def receive(
    batches: Iterable[Sequence[tuple[_Message, ReceivedEvent]]],
    acknowledge: Callable[[_Message], object] = lambda _message: None,
    give_back: Callable[[_Message], object] = lambda _message: None,
) -> Iterator[ReceivedEvent | None]:
    """Yield the events, each acknowledged when the next is asked for; None where none has come.

    Without a group nothing is acknowledged, and nothing given back.

    Parameters:
        batches: of messages, each with the event that it is; one that is empty within a second
            where nothing comes. Messages behind the first of a batch are taken from the other
            consumers of the group meanwhile: take them one by one, or give back those as well.
        acknowledge: lets a message never come again.
        give_back: lets the message in hand come again at once, for the consumer is closed.
    """
    for batch in batches:
        for message, event in batch:
            try:
                yield event
            except GeneratorExit:
                give_back(message)
                raise
            acknowledge(message)
        if not batch:
            yield None
