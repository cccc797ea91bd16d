"""What librdkafka reports of a batch: each event is confirmed, or failed, or not heard of."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, Message

from event_brokers import Event
from event_brokers_kafka.failures import UNHEARD, Failure
from event_brokers_kafka.librdkafka.failures import Report, failures_of


class Reports:
    """The reports of one batch, which come while librdkafka is polled.

    Attributes:
        confirmed: ids of the events that every in-sync replica has.
    """

    def __init__(self) -> None:
        self.confirmed: list[str] = []
        self._failed: dict[str, Report] = {}
        self._refused: dict[str, Report] = {}
        self._given_up: set[str] = set()

    def taker(self) -> Callable[[str, KafkaError | None, Message], None]:
        """Return what takes an event's report behind the event's id."""
        confirm, failed = self.confirmed.append, self._failed

        def take(event_id: str, error: KafkaError | None, message: Message) -> None:
            if error is None:
                confirm(event_id)
            else:
                failed[event_id] = Report(error, message.partition())

        return take

    def refuse(self, event: Event, error: KafkaError) -> None:
        """Note an event that never left the program."""
        self._refused[event.id] = Report(error, None)

    def give_up(self, events: Sequence[Event]) -> None:
        """Note that no report is waited for any more; one that comes all the same still counts."""
        self._given_up = {event.id for event in events}.difference(
            self.confirmed, self._failed, self._refused
        )

    def failures(self) -> dict[str, Failure]:
        """Return of each event why it was not confirmed; of what nobody heard there is nothing."""
        if not (self._failed or self._refused or self._given_up):
            return {}
        failures = failures_of({**self._refused, **self._failed})
        return {**failures, **dict.fromkeys(self._given_up.difference(self.confirmed), UNHEARD)}

    def has_failed(self, events: Sequence[Event]) -> bool:
        """Return whether an event that left the program is not confirmed."""
        return len(self.confirmed) + len(self._refused) < len(events)
