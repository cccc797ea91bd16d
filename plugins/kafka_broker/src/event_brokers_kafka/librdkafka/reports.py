"""What librdkafka reports of a batch: each event is confirmed, or failed, or not heard of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from confluent_kafka import KafkaError, Message

from event_brokers import Event
from event_brokers_kafka.failures import UNHEARD, Failure
from event_brokers_kafka.librdkafka.failures import Report, failures_of

Callback = Callable[[KafkaError | None, Message], None]


class Reports:
    """The reports of one producer, which come while it is polled; one batch after the other.

    Once a batch is confirmed, its callbacks take the reports of the next one: making one for each
    event would take a tenth of the time in which it is delivered.
    """

    def __init__(self) -> None:
        self._events: Sequence[Event] = ()
        self._refused: dict[int, Report] = {}  # by their places in the batch, as all of these
        self._given_up: set[int] = set()
        self._make_taker()

    @property
    def confirmed(self) -> list[str]:
        """Ids of the events that every in-sync replica has."""
        return [self._events[place].id for place in self._confirmed]

    def begin(self, events: Sequence[Event]) -> list[Callback]:
        """Forget the batch before, and return what takes the reports: one for each event, or more.

        Parameters:
            events: the batch.
        """
        if self.has_failed():
            self._make_taker()  # of the batch before something may still be reported
        for known in (self._confirmed, self._failed, self._refused, self._given_up):
            known.clear()
        self._events = events
        for place in range(len(self._callbacks), len(events)):
            self._callbacks.append(partial(self._take, place))
        return self._callbacks

    def refuse(self, place: int, error: KafkaError) -> None:
        """Note an event that never left the program.

        Parameters:
            place: of the event in the batch.
            error: why.
        """
        self._refused[place] = Report(error, None)

    def give_up(self) -> None:
        """Note that no report is waited for any more; one that comes all the same still counts."""
        self._given_up.update(range(len(self._events)))
        self._given_up.difference_update(self._confirmed, self._failed, self._refused)

    def failures(self) -> dict[str, Failure]:
        """Return of each event why it was not confirmed; of what nobody heard there is nothing."""
        if not (self._failed or self._refused or self._given_up):
            return {}
        reported = {**self._refused, **self._failed}
        failures = failures_of({self._events[place].id: said for place, said in reported.items()})
        unheard = self._given_up.difference(self._confirmed)
        return {**failures, **{self._events[place].id: UNHEARD for place in unheard}}

    def has_failed(self) -> bool:
        """Return whether an event that left the program is not confirmed."""
        return len(self._confirmed) + len(self._refused) < len(self._events)

    def _make_taker(self) -> None:
        self._confirmed: list[int] = []
        self._failed: dict[int, Report] = {}
        self._take = _taker(self._confirmed, self._failed)
        self._callbacks: list[Callback] = []


def _taker(
    confirmed: list[int], failed: dict[int, Report]
) -> Callable[[int, KafkaError | None, Message], None]:
    confirm = confirmed.append

    def take(place: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            confirm(place)
        else:
            failed[place] = Report(error, message.partition())

    return take
