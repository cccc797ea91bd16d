"""Delivery over both queues, to a broker that fails in every way there is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    QueueFull,
)
from event_brokers.delays import Delays
from event_brokers.testing import MemoryBroker
from waiting import wait_until

MOST = 50
POISON = "poison"
QUICK = Delays(first=0.001, first_halted=0.001, longest=0.002, hurried=0.002)
CONNECT_FAILURES = [
    BrokerUnavailable("nobody listens"),
    ConfigurationError("event_broker.password: wrong"),
    OSError("reset"),
    ValueError("unforeseen"),
]


class Failures:
    """The ways in which one call of `publish` ends badly.

    Parameters:
        broker: stores what a failure lets through.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        self._broker = broker
        self.ways: dict[str, Callable[[Sequence[Event]], None]] = {
            "before": self._before, "amid": self._amid, "after": self._after,
            "configuration": self._configuration, "unforeseen": self._unforeseen,
            "confirmed some": self._confirmed_some, "out of order": self._out_of_order,
        }  # fmt: skip

    def _before(self, _events: Sequence[Event]) -> None:
        raise BrokerUnavailable("lost before the batch")

    def _amid(self, events: Sequence[Event]) -> None:
        self._store(events[: len(events) // 2])
        raise OSError("lost amid the batch")

    def _after(self, events: Sequence[Event]) -> None:
        self._store(events)
        raise BrokerUnavailable("confirmed, and nobody heard it")

    def _configuration(self, _events: Sequence[Event]) -> None:
        raise ConfigurationError("event_broker.queue: is gone")

    def _unforeseen(self, _events: Sequence[Event]) -> None:
        raise KeyError("unforeseen")

    def _confirmed_some(self, events: Sequence[Event]) -> None:
        half = self._store(events[: (len(events) + 1) // 2])
        raise BrokerUnavailable("lost after a half", confirmed=half)

    def _out_of_order(self, events: Sequence[Event]) -> None:
        # a nack of the first: the others are confirmed, and it comes again, after them
        others = [event for event in events if event.sender_id != events[0].sender_id]
        raise BrokerUnavailable("refused the first", confirmed=self._store(others))

    def _store(self, events: Sequence[Event]) -> list[str]:
        """Store events but for those that are never taken; return their ids."""
        taken = [event for event in events if event.id not in self._broker.refused]
        self._broker.arrived.extend(taken)
        return [event.id for event in taken]


class DeliveryMachine(RuleBasedStateMachine):
    """Publishes, lets the broker fail, and at last finds everything there."""

    def __init__(self) -> None:
        super().__init__()
        self.broker = MemoryBroker(QUICK)
        self.failures = Failures(self.broker)
        self.accepted: list[str] = []
        self.poisoned: set[str] = set()
        self.bodies: dict[str, dict[str, Any]] = {}

    def delivery(self) -> dict[str, Any]:
        """Return the section `delivery`."""
        return {"max_pending": MOST}

    @initialize()
    def begin(self) -> None:
        """Start delivering, to a broker that refuses poison and says, or does not say, which."""
        self.open = self.broker.start(**self.delivery())

    @rule(sender=st.sampled_from("abc"), count=st.integers(1, 8))
    def publish(self, sender: str, count: int) -> None:
        """Events are accepted, all or none, or the queue is full."""
        events = [
            {"sender_id": sender, "number": len(self.accepted) + n, "all": count}
            for n in range(count)
        ]
        try:
            accepted = self.open.publish_many(events)
        except QueueFull:
            return
        self.accepted += accepted
        self.bodies |= zip(accepted, events, strict=True)

    @rule(way=st.sampled_from(sorted(Failures(MemoryBroker()).ways)))
    def fail(self, way: str) -> None:
        """The next batch fails."""
        self.broker.publishes.append(self.failures.ways[way])

    @rule(says_which=st.booleans())
    def poison(self, says_which: bool) -> None:
        """An event is accepted that the broker will never take."""
        try:
            event_id = f"{POISON}-{len(self.accepted)}"
            self.broker.refused[event_id] = says_which
            self.open.publish({"sender_id": POISON}, event_id)
        except QueueFull:
            return
        self.accepted.append(event_id)
        self.poisoned.add(event_id)
        self.bodies[event_id] = {"sender_id": POISON}

    @rule(failure=st.sampled_from(CONNECT_FAILURES))
    def refuse_connections(self, failure: BaseException) -> None:
        """The next connection fails."""
        self.broker.connects.append(failure)

    @rule()
    def hang(self) -> None:
        """The broker does not answer until it is told to."""
        self.broker.hang()

    @rule()
    def answer(self) -> None:
        """The broker answers again."""
        self.broker.answer()

    @invariant()
    def accounts_are_settled(self) -> None:
        """Nothing is counted twice or not at all, at any moment."""
        if not hasattr(self, "open"):
            return
        status = self.open.status()
        assert status.accepted == len(self.accepted)
        assert status.accepted == status.delivered + status.pending + status.dead_letters
        assert status.pending <= MOST

    def teardown(self) -> None:
        """Let the broker recover, and look at what arrived."""
        if not hasattr(self, "open"):
            return
        self.broker.answer()
        status = self.open.flush(60)
        letters = {letter.event.id for letter in self.open.dead_letters()}
        self.open.close()
        assert status.pending == 0
        assert letters == self.poisoned
        arrived = [event.id for event in self.broker.arrived]
        first = list(dict.fromkeys(arrived))
        assert set(first) == set(self.accepted) - self.poisoned
        for sender in "abc":
            of_sender = [each for each in self.accepted if self.is_from(sender, each)]
            assert [each for each in first if self.is_from(sender, each)] == of_sender
        for event in self.broker.arrived:
            assert Event.from_dict(self.bodies[event.id]).body == event.body

    def is_from(self, sender: str, event_id: str) -> bool:
        """Return whether an event is of one sender."""
        return bool(self.bodies[event_id]["sender_id"] == sender)


class SpoolDeliveryMachine(DeliveryMachine):
    """The same with a spool, while programs end and begin."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())

    def delivery(self) -> dict[str, Any]:
        spool = {"spool": str(self.folder / "spool"), "durability": "process"}
        return {**super().delivery(), **spool}

    @precondition(lambda self: self.broker.answers())
    @rule()
    def begin_again(self) -> None:
        """Another program goes on where the last one left off."""
        self.open.close(timeout=0)
        wait_until(lambda: self.broker.open == 0)
        self.open = self.broker.start(**self.delivery())

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            shutil.rmtree(self.folder)


@pytest.mark.parametrize(
    "machine", [DeliveryMachine, SpoolDeliveryMachine], ids=["memory", "spool"]
)
def test_whatever_fails_nothing_is_lost_or_overtaken(
    machine: type[RuleBasedStateMachine],
    request: pytest.FixtureRequest,
) -> None:
    """In whatever order: twice only with the same id and body, dead letters only the refused."""
    examples = 400 if request.config.getoption("--faults") else 50
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=30)
    )
