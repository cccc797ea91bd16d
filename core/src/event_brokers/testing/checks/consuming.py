"""What `consume` yields is what was published; what is not acknowledged comes again."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from event_brokers.event import Event, ReceivedEvent
from event_brokers.testing import contract, events
from event_brokers.testing.answers import Answers
from event_brokers.testing.arrivals import wait_until
from event_brokers.testing.check import check
from event_brokers.testing.checks.delivery import publish
from event_brokers.testing.contract import fail, hold
from event_brokers.testing.listening import Listening
from event_brokers.testing.reading import DoesNotReturn, Reading

_SETTLE = 1 / 15  # of the deadline, in which a consumer has found its place
_TURN_SECONDS = 3.0  # the contract's one, with room for a machine that is busy
_CONSUME = ("consume",)
_NO_JSON = b"no JSON {"


class ConsumingChecks(Answers):
    """What `consume` yields is what was published."""

    @check(hooks=_CONSUME)
    def test_what_was_published_is_received(self) -> None:
        """Bodies, ids and headers are received as they were published, in order."""
        published = [*events.unusual_bodies().values(), *events.unusual_ids()]
        reading = self._reading_from_start()
        publish(self, published)
        received = self._take(reading, published)
        hold(
            [each.body for each in received] == [event.body for event in published],
            "'consume' yields other bodies, or in another order, than were published",
            contract.RECEIVED_BODY,
        )
        hold(
            [each.id for each in received] == [event.id for event in published],
            "'consume' yields other ids than were published",
            contract.RECEIVED_ID,
        )

    @check("has_headers", hooks=_CONSUME)
    def test_headers_are_received(self) -> None:
        """The type, and the headers that were given, are received."""
        published = events.with_headers()
        wanted = events.headers_of(published)
        reading = self._reading_from_start()
        publish(self, published)
        for received in self._take(reading, published):
            headers = events.by_folded_name(received.headers)
            for name, text in wanted.get(received.id or "", {}).items():
                hold(
                    headers.get(name.casefold()) == text,
                    f"the header '{name}' was received as another one, or not at all",
                    contract.HEADERS,
                )

    @check(hooks=_CONSUME)
    def test_what_is_in_hand_comes_again(self) -> None:
        """An event that was not acknowledged comes again, also the first one of a group."""
        published = events.numbered(4)
        self._begin_group()
        publish(self, published)
        for count in (1, 3):
            reading = self._reading_from_start()
            self._take(reading, published[:count])
            reading.close()
        self._hold_that_next_is(published[2:], contract.CLOSING_ACKNOWLEDGES_NOTHING)

    @check(hooks=_CONSUME)
    def test_what_was_acknowledged_does_not_come_again(self) -> None:
        """An event after which the next was asked for does not come again."""
        published = events.numbered(5)
        self._begin_group()
        publish(self, published)
        reading = self._reading_from_start()
        self._take(reading, published[:4])
        reading.close()
        self._hold_that_next_is(published[3:], contract.ACKNOWLEDGES)

    @check(hooks=_CONSUME)
    def test_each_group_gets_every_event(self) -> None:
        """Two groups receive all the events, each by itself."""
        published = events.numbered(10)
        readings = [self.subject.reading(self.options(), group) for group in self.groups()]
        for reading in readings:
            self._turn(reading)
        publish(self, published)
        for reading in readings:
            received = reading.take(len(published), self.hook_seconds)
            hold(
                [each.id for each in received] == [event.id for event in published],
                f"one of two groups received {len(received)} of {len(published)} events",
                contract.GROUPS,
            )

    @check(hooks=_CONSUME)
    def test_consumers_of_one_group_share_the_events(self) -> None:
        """Two consumers of one group receive each event once, whoever of them it is."""
        published = events.numbered(20)
        readings = [self._reading_from_start() for _ in range(2)]
        for reading in readings:
            self._turn(reading)  # it has its place in the group before there is an event
        publish(self, published)
        received = self._take_side_by_side(readings, published)
        lost = {event.id for event in published} - set(received)
        hold(not lost, f"{len(lost)} of {len(published)} events were not received", contract.GROUPS)
        hold(
            len(received) == len(published),
            f"two consumers of one group received {len(published)} events {len(received)} times",
            contract.GROUPS,
        )

    @check(hooks=_CONSUME)
    def test_a_new_group_begins_with_the_oldest_event(self) -> None:
        """With `from_start`, a group without a position receives what was there before it."""
        published = events.numbered(3)
        publish(self, published)
        received = self._reading_from_start().take(len(published), self.hook_seconds)
        hold(
            [each.id for each in received] == [event.id for event in published],
            f"a new group received {len(received)} of {len(published)} events from the start",
            contract.FROM_START,
        )

    @check(hooks=_CONSUME)
    def test_a_new_group_begins_with_what_is_new(self) -> None:
        """Without `from_start`, a group without a position receives nothing older than itself."""
        publish(self, events.numbered(3))
        new = events.numbered(2)
        reading = self.subject.reading(self.options(), self.groups()[0], from_start=False)
        first = self._await_turn(reading)
        hold(first is None, "a new group received what is older than it", contract.FROM_START)
        publish(self, new)
        received = reading.take(len(new), self.hook_seconds)
        hold(
            [each.id for each in received] == [event.id for event in new],
            "a new group has not received what was published after it began",
            contract.FROM_START,
        )

    @check(hooks=_CONSUME)
    def test_looking_on_leaves_no_trace(self) -> None:
        """Without a group all events are received, and none is taken from a group."""
        self._begin_group()
        reading = self.subject.reading(self.options(), None, from_start=False)
        self._await_turn(reading)
        published = events.numbered(4)
        publish(self, published)
        received = reading.take(len(published), self.hook_seconds)
        reading.close()
        hold(
            [each.id for each in received] == [event.id for event in published],
            f"without a group {len(received)} of {len(published)} events were received",
            contract.LEAVES_NO_TRACE,
        )
        self._hold_that_next_is(published, contract.LEAVES_NO_TRACE)

    @check("put", hooks=_CONSUME)
    def test_a_body_that_is_no_json_is_received(self) -> None:
        """What somebody else has put there is received as it is, with the reason."""
        published = events.numbered(1)
        reading = self._reading_from_start()
        self.put(_NO_JSON)
        publish(self, published)
        try:
            received = reading.take(2, self.hook_seconds)
        except Exception as error:  # noqa: BLE001 - that is what is checked
            fail(
                f"'consume' raised {type(error).__name__} over a body that is no JSON",
                contract.RECEIVED_PROBLEM,
            )
        hold(
            len(received) == 2
            and received[0].body == _NO_JSON
            and received[0].event is None
            and bool(received[0].problem),
            "a body that is no JSON is not received as it is, with the reason",
            contract.RECEIVED_PROBLEM,
        )

    @check(hooks=_CONSUME)
    def test_turns_are_given_while_nothing_arrives(self) -> None:
        """None is yielded again and again while nothing arrives, each within a second."""
        reading = self._reading_from_start()
        self._turn(reading)
        for _ in range(3):
            try:
                received = reading.turn(_TURN_SECONDS)
            except DoesNotReturn as error:
                fail(f"'consume' {error} while nothing arrives", contract.GIVES_TURNS)
            hold(received is None, "'consume' yields what was not published", contract.YIELDS)

    @check(hooks=_CONSUME)
    def test_a_consumer_is_closed_from_another_thread(self) -> None:
        """A consumer that waits for events ends when another thread closes it."""
        publish(self, events.numbered(1))
        consumer = self.subject.consumer(self.options(), self.groups()[0])
        listening = Listening(consumer)
        wait_until(lambda: bool(listening.ids), _SETTLE * self.hook_seconds)
        closing = threading.Thread(target=consumer.close, daemon=True)
        closing.start()
        closing.join(self.close_seconds + _TURN_SECONDS)
        hold(
            not closing.is_alive() and listening.has_ended(self.close_seconds + _TURN_SECONDS),
            "a consumer that waits is not closed by another thread",
            contract.GIVES_TURNS,
        )

    @check("break_server", "mend_server", hooks=_CONSUME)
    def test_consuming_goes_on_after_the_server_was_killed(self) -> None:
        """After kill -9 and a start, a consumer receives what comes, and misses nothing."""
        published = events.numbered(4)
        self._begin_group()
        publish(self, published[:2])
        listening = Listening(self.subject.consumer(self.options(), self.groups()[0]))
        self._await_ids([listening], published[:2], contract.YIELDS)
        self.break_server()
        self.mend_server()
        publish(self, published[2:])
        self._await_ids([listening], published, contract.CONSUMED_AGAIN)

    def _await_ids(
        self, listening: Sequence[Listening], published: Sequence[Event], line: contract.Line
    ) -> None:
        """Wait until every event was received by one of them, and fail where it is not."""
        wanted = {event.id for event in published}

        def all_came() -> bool:
            return wanted <= {received for each in listening for received in each.ids}

        came = wait_until(
            lambda: all_came() or any(each.error for each in listening), self.hook_seconds
        )
        for each in listening:
            if each.error is not None:
                fail(f"a consumer ended with {type(each.error).__name__}", line)
        hold(came, f"not every one of {len(wanted)} events was received", line)

    def _reading_from_start(self) -> Reading:
        return self.subject.reading(self.options(), self.groups()[0])

    def _begin_group(self) -> None:
        """Let the group have a position before anything is published."""
        reading = self._reading_from_start()
        self._turn(reading)
        reading.close()

    def _await_turn(self, reading: Reading) -> ReceivedEvent | None:
        """Return what is received first, None where it is a turn: the consumer is ready then."""
        deadline = time.monotonic() + _SETTLE * self.hook_seconds
        received = self._turn(reading)
        while received is None and time.monotonic() < deadline:
            received = self._turn(reading)
        return received

    @staticmethod
    def _turn(reading: Reading) -> ReceivedEvent | None:
        """Return what comes next, and fail where not even a turn is given."""
        try:
            return reading.turn()
        except DoesNotReturn as error:
            fail(f"'consume' {error} while nothing arrives", contract.GIVES_TURNS)

    def _take(self, reading: Reading, published: Sequence[Event]) -> list[ReceivedEvent]:
        """Return as many events as were published, and fail where they do not come."""
        received = reading.take(len(published), self.hook_seconds)
        hold(
            len(received) == len(published),
            f"{len(received)} of {len(published)} events were received",
            contract.YIELDS,
        )
        return received

    def _take_side_by_side(
        self, readings: Sequence[Reading], published: Sequence[Event]
    ) -> list[str | None]:
        """Return the ids of what each receives until all has come and nothing more does."""
        wanted = {event.id for event in published}
        deadline = time.monotonic() + self.hook_seconds
        received: list[str | None] = []

        def take(reading: Reading) -> None:
            while time.monotonic() < deadline:
                found = self._turn(reading)
                if found is not None:
                    received.append(found.id)
                elif wanted <= set(received):
                    return

        with ThreadPoolExecutor(len(readings)) as threads:
            list(threads.map(take, readings))
        return received

    def _hold_that_next_is(self, wanted: Sequence[Event], line: contract.Line) -> None:
        """Hold that a new consumer of the group receives these events, and first of all."""
        received = self._reading_from_start().take(len(wanted), self.hook_seconds)
        hold(
            # in whatever order: a broker may put back late what its consumer had in hand
            {each.id for each in received} == {event.id for event in wanted},
            f"the next consumer of the group receives {_in_words(received, wanted)}",
            line,
        )


def _in_words(received: Sequence[ReceivedEvent], wanted: Sequence[Event]) -> str:
    known = {event.id for event in wanted}
    others = [each for each in received if each.id not in known]
    if others:
        return f"{len(others)} events that were acknowledged"
    return f"{len(received)} of the {len(wanted)} events that are to come"
