"""Both queues, in whatever order they are used, do what a list of events would do."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

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

from event_brokers import BrokerClosed, DeadLetter, QueueFull
from event_brokers.queues.memory import MemoryQueue
from event_brokers.queues.protocol import Queue
from event_brokers.queues.spool import Spool
from spools import BATCH_BYTES, an_event, ids

MOST = 12
NUMBERS = st.lists(st.integers(min_value=0, max_value=40), min_size=1, max_size=6, unique=True)


class QueueMachine(RuleBasedStateMachine):
    """Compares a queue with what it should hold: ids in order, dead letters, and a count."""

    def __init__(self) -> None:
        super().__init__()
        self.pending: list[str] = []
        self.buried: list[str] = []
        self.delivered = 0
        self.is_sealed = False

    @initialize()
    def begin(self) -> None:
        """Make an empty queue."""
        self.queue: Queue = self.make()

    def make(self) -> Queue:
        """Return the queue."""
        return MemoryQueue(MOST, 2**40, 2**40)

    def known(self) -> set[str]:
        """Return the ids that are not accepted once more."""
        return set(self.pending)

    @rule(numbers=NUMBERS)
    def append(self, numbers: list[int]) -> None:
        """All or none are taken; an id that is known is the same event."""
        events = [an_event(number) for number in numbers]
        new = [event.id for event in events if event.id not in self.known()]
        if self.is_sealed:
            with pytest.raises(BrokerClosed):
                self.queue.append(events, 0)
        elif new and len(self.pending) + len(new) > MOST:
            with pytest.raises(QueueFull):
                self.queue.append(events, 0)
        else:
            self.queue.append(events, 0)
            self.pending += new

    @rule(limit=st.integers(min_value=1, max_value=MOST), kept=st.integers(0, 3))
    def settle(self, limit: int, kept: int) -> None:
        """Some of a batch were confirmed, perhaps not the first."""
        batch = ids(self.queue.peek(limit, BATCH_BYTES))
        assert batch == self.pending[:limit]
        confirmed = batch[kept:]
        self.queue.settle([*confirmed, "unknown"])
        self.delivered += len(confirmed)
        self.pending = [event_id for event_id in self.pending if event_id not in confirmed]

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def bury(self, data: st.DataObject) -> None:
        """An event is refused for good; burying it twice counts once."""
        wanted = data.draw(st.sampled_from(self.pending))
        events = self.queue.peek(len(self.pending), BATCH_BYTES)
        (event,) = (event for event in events if event.id == wanted)
        letter = DeadLetter(event, "refused", 0.0)
        self.queue.bury([letter])
        self.queue.bury([letter])
        self.pending.remove(event.id)
        self.buried.append(event.id)

    @rule()
    def seal(self) -> None:
        """Nothing more is taken; what waits still leaves."""
        self.queue.seal()
        self.is_sealed = True

    @rule()
    def close(self) -> None:
        """Letting go of files changes nothing."""
        self.queue.close()

    @invariant()
    def agrees(self) -> None:
        """Order, counts and dead letters are what they should be, at every moment."""
        if not hasattr(self, "queue"):
            return
        counts = self.queue.counts()
        assert ids(self.queue.peek(MOST, BATCH_BYTES)) == self.pending
        assert [letter.event.id for letter in self.queue.dead_letters()] == self.buried
        assert (counts.pending, counts.dead_letters, counts.delivered) == (
            len(self.pending), len(self.buried), self.delivered,
        )  # fmt: skip
        assert counts.accepted == counts.pending + counts.dead_letters + counts.delivered
        assert (counts.oldest_pending_seconds is None) == (not self.pending)
        assert self.queue.wait_for_event(0) == bool(self.pending)
        assert self.queue.wait_until_left(0) == (not self.pending)

    def teardown(self) -> None:
        """Let go of everything."""
        if hasattr(self, "queue"):
            self.queue.close()


class SpoolMachine(QueueMachine):
    """The same on disk, where programs end and begin, and dead letters come back."""

    def make(self) -> Queue:
        self.folder = Path(tempfile.mkdtemp())
        return self.opened()

    def opened(self) -> Spool:
        """Return the spool as a program finds it that begins."""
        return Spool(self.folder / "spool", "process", MOST, 2**40, 2**40, None)

    @property
    def spool(self) -> Spool:
        """The queue."""
        assert isinstance(self.queue, Spool)
        return self.queue

    def known(self) -> set[str]:
        return {*self.pending, *self.buried}

    @rule(leave=st.sampled_from(["in peace", "without a word"]))
    def begin_again(self, leave: str) -> None:
        """Another program opens what the last one left."""
        if leave == "in peace":
            self.spool.right.release()
            self.spool.close()
        left, self.queue = self.spool, self.opened()
        left.close()
        self.is_sealed = False

    @rule(numbers=NUMBERS)
    def retry(self, numbers: list[int]) -> None:
        """Dead letters go behind what waits; ids that are none are not touched."""
        wanted = [an_event(number).id for number in numbers]
        back = [event_id for event_id in wanted if event_id in self.buried]
        assert self.spool.retry(wanted) == len(back)
        self.buried = [event_id for event_id in self.buried if event_id not in back]
        self.pending += back

    @rule(numbers=NUMBERS)
    def drop(self, numbers: list[int]) -> None:
        """Dead letters and pending events are forgotten."""
        wanted = {an_event(number).id for number in numbers}
        assert self.spool.drop(sorted(wanted)) == len(wanted & self.known())
        self.buried = [event_id for event_id in self.buried if event_id not in wanted]
        self.pending = [event_id for event_id in self.pending if event_id not in wanted]

    @rule(numbers=NUMBERS)
    def drop_dead_letters(self, numbers: list[int]) -> None:
        """Dead letters are forgotten, and what waits goes on waiting."""
        wanted = {an_event(number).id for number in numbers}
        assert self.spool.drop_dead_letters(sorted(wanted)) == len(wanted & {*self.buried})
        self.buried = [event_id for event_id in self.buried if event_id not in wanted]

    @invariant()
    def agrees(self) -> None:
        # retry may bring more than may be appended
        if hasattr(self, "queue") and len(self.pending) <= MOST:
            super().agrees()

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)


@pytest.mark.parametrize("machine", [QueueMachine, SpoolMachine], ids=["memory", "spool"])
def test_a_queue_is_a_list_of_events(
    machine: type[RuleBasedStateMachine], request: pytest.FixtureRequest
) -> None:
    """Whatever is called in whatever order."""
    examples = 400 if request.config.getoption("--faults") else 60
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=40)
    )
