"""What is published arrives, whole, in order, and once where that is claimed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from event_brokers.delivery import BATCH_BYTES, BATCH_EVENTS
from event_brokers.event import Event
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.arrivals import Found, await_arrival, find, first_occurrences, missing
from event_brokers.testing.check import check
from event_brokers.testing.contract import fail, hold

_ARRIVAL_SECONDS = 10.0  # after `publish` has returned, for a client that reads late


def publish(answers: Answers, batch: Sequence[Event]) -> None:
    """Publish a batch through a connection of its own, and fail where the hook does."""
    connected = answers.subject.connect(answers.options())
    connected.publish(batch)
    connected.end()


def arrivals_of(answers: Answers, published: Sequence[Event]) -> list[Found]:
    """Return what has arrived of events that were published."""
    seconds = min(_ARRIVAL_SECONDS, answers.hook_seconds)
    return await_arrival(answers.arrived, published, seconds)


def await_all(answers: Answers, published: Sequence[Event]) -> list[Found]:
    """Return what has arrived, and fail where an event has not."""
    found = arrivals_of(answers, published)
    lost = missing(published, found)
    hold(
        not lost,
        f"{len(lost)} of {len(published)} events have not arrived, although 'publish' returned",
        contract.CONFIRMED,
    )
    return found


class DeliveryChecks(Answers):
    """What is published arrives."""

    @check()
    def test_bodies_arrive_byte_for_byte(self) -> None:
        """Bodies arrive byte for byte: unicode, {}, a megabyte, floats, deep ones."""
        unusual = events.unusual_bodies()
        publish(self, list(unusual.values()))
        arrived = {each.event.id: each.arrived for each in await_all(self, list(unusual.values()))}
        for name, event in unusual.items():
            hold(
                arrived[event.id].body == event.body,
                f"a body {name} has arrived as another one",
                contract.BODY,
            )

    @check()
    def test_ids_arrive(self) -> None:
        """Every event's id is at the broker, also one that an application gave."""
        published = events.unusual_ids()
        publish(self, published)
        for found in await_all(self, published):
            hold(
                found.arrived.id == found.event.id,
                "an event has arrived with another id, or none",
                contract.ID,
            )

    @check("has_headers")
    def test_headers_arrive(self) -> None:
        """The type, and the headers that were given, travel beside the body."""
        published = events.with_headers()
        wanted = events.headers_of(published)
        publish(self, published)
        for found in await_all(self, published):
            headers = events.by_folded_name(found.arrived.headers or {})
            for name, text in wanted[found.event.id].items():
                hold(
                    headers.get(name.casefold()) == text,
                    f"the header '{name}' has arrived as another one, or not at all",
                    contract.HEADERS,
                )

    @check()
    @pytest.mark.parametrize("count", [1, 2, 100, BATCH_EVENTS])
    def test_batches_arrive_in_order(self, count: int) -> None:
        """Every batch, up to the core's largest, arrives in the order in which it was published."""
        published = events.numbered(count)
        publish(self, published)
        found = await_all(self, published)
        hold(
            first_occurrences(found) == [event.id for event in published],
            f"a batch of {count} events has arrived in another order",
            contract.IN_ORDER,
        )

    @check()
    def test_the_largest_batch_arrives(self) -> None:
        """A batch of as many bytes as the core hands over at once arrives whole."""
        published = events.as_large_as(BATCH_BYTES)
        publish(self, published)
        for found in await_all(self, published):
            hold(
                found.arrived.body == found.event.body,
                "a body of the largest batch has arrived as another one",
                contract.BODY,
            )

    @check()
    def test_batches_of_one_connection_arrive_in_order(self) -> None:
        """One batch after the other arrives, through the same connection."""
        published = events.numbered(60)
        connected = self.subject.connect(self.options())
        for first in range(0, len(published), 20):
            connected.publish(published[first : first + 20])
        found = await_all(self, published)
        hold(
            first_occurrences(found) == [event.id for event in published],
            "the batches of one connection have arrived in another order",
            contract.IN_ORDER,
        )

    @check()
    def test_events_without_the_usual_fields_arrive(self) -> None:
        """An event without sender_id, or without event, arrives like any other."""
        unusual = events.without_the_usual()
        for lacking, event in unusual.items():
            try:
                publish(self, [event])
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the plugin's mistake
                fail(
                    f"'publish' raised {type(error).__name__} for an event without {lacking}",
                    contract.MAY_LACK,
                )
        found = arrivals_of(self, list(unusual.values()))
        for lacking, event in unusual.items():
            hold(
                not missing([event], found),
                f"an event without {lacking} has not arrived",
                contract.MAY_LACK,
            )

    @check()
    def test_the_batch_is_not_changed(self) -> None:
        """The list of events, and the events in it, are the same after `publish`."""
        published = [*events.numbered(3), *events.with_headers()]
        headers = [dict(event.given_headers) for event in published]
        batch = self.subject.connect(self.options()).publish(published)
        hold(
            len(batch) == len(published)
            and all(now is before for now, before in zip(batch, published, strict=True)),
            "'publish' has changed the list of events that it was given",
            contract.BATCH_IS_NOT_CHANGED,
        )
        hold(
            [event.given_headers for event in published] == headers,
            "'publish' has changed the headers of an event",
            contract.BATCH_IS_NOT_CHANGED,
        )

    @check("stores_once")
    def test_the_same_event_is_stored_once(self) -> None:
        """What is sent again, through the same connection or a new one, stands there once."""
        published = events.numbered(3)
        connected = self.subject.connect(self.options())
        connected.publish(published)
        connected.publish(published[1:])
        publish(self, [*published, *events.numbered(1)])
        await_all(self, published)
        found = find(published, self.arrived())
        hold(
            len(found) == len(published),
            f"{len(published)} events that were sent more than once stand there {len(found)} times",
            contract.SAME_ID,
        )

    @check()
    def test_several_connections_work_side_by_side(self) -> None:
        """Two connections publish in turns, and closing one leaves the other as it is."""
        one, other = (self.subject.connect(self.options()) for _ in range(2))
        published = events.numbered(6)
        one.publish(published[0:2])
        other.publish(published[2:4])
        one.end()
        try:
            other.publish(published[4:6])
        except Exception as error:  # noqa: BLE001 - as above
            fail(
                f"'publish' raised {type(error).__name__} after another connection was closed",
                contract.ONE_THREAD,
            )
        await_all(self, published)
