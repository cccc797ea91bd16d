"""What is sent when, against a RabbitMQ that answers as it likes: a model of all that it may do."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from pika import spec
from pika.exceptions import ConnectionClosedByBroker

from event_brokers import Event, SecretUrl
from event_brokers_pika import PikaOptions
from event_brokers_pika.batch import Batch
from event_brokers_pika.publishing_channel import PublishingChannel

MOST_EVENTS = 40  # fewer than a connection begins with one at a time
TAKEN, REFUSED, RETURNED = "taken", "refused", "returned"
_names = count()


class Model:
    """A connection and its channel, as pika has them, to a queue that takes what the test says.

    Attributes:
        stored: the events that the queue has taken, in order.
        under_way: published, and not looked at yet.
        callbacks: what pika's loop is to call when it goes on.
    """

    is_open = True

    def __init__(self) -> None:
        self.stored: list[str] = []
        self.callbacks: deque[Callable[[], None]] = deque()
        self.ioloop = SimpleNamespace(add_callback_threadsafe=self.callbacks.append)
        self.under_way: deque[tuple[int, str]] = deque()
        self._answers: list[Any] = []
        self._tags = count(1)

    def add_on_connection_blocked_callback(self, _callback: Any) -> None:
        """Never block."""

    def add_on_connection_unblocked_callback(self, _callback: Any) -> None:
        """Never block."""

    def add_on_close_callback(self, _callback: Any) -> None:
        """Never close."""

    def add_on_return_callback(self, callback: Any) -> None:
        """Tell it of what no queue took."""
        self._on_returned = callback

    def channel(self, on_open_callback: Any) -> None:
        """Open the channel."""
        on_open_callback(self)

    def confirm_delivery(self, on_confirmed: Any, callback: Any) -> None:
        """Confirm from now on."""
        self._on_confirmed = on_confirmed
        callback(None)

    def basic_publish(
        self, _exchange: str, _key: str, _body: bytes, properties: Any, mandatory: bool
    ) -> None:
        """Have an event under way."""
        assert mandatory
        self.under_way.append((next(self._tags), properties.message_id))

    def look_at_next(self, outcome: str) -> None:
        """Do with the next event what the test says, and answer later."""
        tag, event_id = self.under_way.popleft()
        if outcome == TAKEN:
            self.stored.append(event_id)
        if outcome == RETURNED:
            returned = spec.BasicProperties(message_id=event_id)
            self._on_returned(self, SimpleNamespace(reply_text="NO_ROUTE"), returned, b"")
        kind = spec.Basic.Nack if outcome == REFUSED else spec.Basic.Ack
        self._answers.append(kind(tag))

    def take_all(self) -> None:
        """Take all that is under way, and tell so."""
        while self.under_way:
            self.look_at_next(TAKEN)
        self.answer_all()

    @property
    def has_answers(self) -> bool:
        """Whether an answer is on its way."""
        return bool(self._answers)

    def answer(self, number: int) -> None:
        """Let one of the answers arrive, whichever."""
        self._arrive(self._answers.pop(number % len(self._answers)))

    def answer_all(self) -> None:
        """Let all answers arrive, those of one kind that follow each other as one."""
        answers, self._answers = sorted(self._answers, key=lambda answer: answer.delivery_tag), []
        for answer, following in zip(answers, [*answers[1:], None], strict=True):
            if type(following) is not type(answer):
                answer.multiple = True
                self._arrive(answer)

    def _arrive(self, answer: Any) -> None:
        self._on_confirmed(SimpleNamespace(method=answer))


def deliver(
    channel: PublishingChannel, model: Model, events: list[Event], data: st.DataObject, most: int
) -> Batch:
    """Send a batch, and have RabbitMQ do whatever it likes until it is over."""
    batch = Batch(events)
    channel.send(batch)
    while not batch.done.is_set():
        steps = ["look"] * bool(model.under_way) + ["one", "all"] * model.has_answers
        steps += ["go on"] * bool(model.callbacks)
        step = data.draw(st.sampled_from(steps))
        if step == "look":
            outcomes = (TAKEN, REFUSED, RETURNED) if most else (TAKEN,)
            model.look_at_next(data.draw(st.sampled_from(outcomes)))
        elif step == "go on":
            model.callbacks.popleft()()
        elif step == "one":
            model.answer(data.draw(st.integers(0, 5)))
        else:
            model.answer_all()
    return batch


@given(
    senders=st.lists(st.sampled_from(["a", "b", None]), min_size=1, max_size=MOST_EVENTS),
    is_declared=st.booleans(),
    data=st.data(),
)
def test_whatever_is_refused_nothing_is_lost_and_no_conversation_overtakes_itself(
    senders: list[str | None], is_declared: bool, data: st.DataObject
) -> None:
    """Each batch ends, names exactly what was taken, and what is sent again comes in order."""
    events = [Event.from_dict({"sender_id": sender}) for sender in senders]
    options = PikaOptions(
        url=SecretUrl("127.0.0.1"),
        queue=f"queue-{next(_names)}",
        queue_arguments={"x-overflow": "reject-publish"} if is_declared else None,
    )
    stored: list[str] = []
    for most in (1, 1, 1, 0):
        left = [event for event in events if event.id not in stored]
        if left:
            model, channel = Model(), PublishingChannel(options)
            channel.on_open(model)
            batch = deliver(channel, model, left, data, most)
            assert batch.confirmed == set(model.stored)
            assert batch.answered <= len(left)
            stored += model.stored
    assert sorted(stored) == sorted(event.id for event in events)
    assert first_out_of_order(events, stored) is None


def open_trusted_channel() -> tuple[PublishingChannel, Model]:
    """Return a channel on which so much was taken that a batch is not sent one by one."""
    options = PikaOptions(url=SecretUrl("127.0.0.1"), queue=f"queue-{next(_names)}")
    model, channel = Model(), PublishingChannel(options)
    channel.on_open(model)
    trial = Batch(make_events(100))
    channel.send(trial)
    while not trial.done.is_set():
        model.take_all()
    model.stored.clear()
    return channel, model


def make_events(number: int) -> list[Event]:
    """Return events of one conversation."""
    return [Event.from_dict({"sender_id": "a"}) for _ in range(number)]


def test_the_first_events_of_a_large_batch_leave_before_the_last_are_ready() -> None:
    """pika's loop goes on between a few events and the next, and all arrive in order."""
    channel, model = open_trusted_channel()
    batch = Batch(make_events(1_000))
    channel.send(batch)
    pieces = []
    while model.under_way:
        pieces.append(len(model.under_way))
        model.take_all()
        assert batch.done.is_set() == (not model.callbacks)
        if model.callbacks:
            model.callbacks.popleft()()
    assert max(pieces) < 200
    assert model.stored == [event.id for event in batch.events]
    assert batch.confirmed == set(model.stored)


def test_nothing_more_of_a_batch_is_sent_when_its_connection_is_lost() -> None:
    """What was about to be sent is not confirmed, and the next batch has it to itself."""
    channel, model = open_trusted_channel()
    batch = Batch(make_events(1_000))
    channel.send(batch)
    channel.on_lost(ConnectionClosedByBroker(320, "CONNECTION_FORCED"))
    sent = len(model.under_way)
    while model.callbacks:
        model.callbacks.popleft()()
    assert len(model.under_way) == sent
    assert batch.failure is not None
    assert not batch.confirmed


def first_out_of_order(events: list[Event], stored: list[str]) -> str | None:
    """Return the first conversation whose events are not stored as they were published."""
    sender_of = {event.id: event.sender_id for event in events}
    published, found = defaultdict(list), defaultdict(list)
    for event in events:
        published[event.sender_id].append(event.id)
    for event_id in stored:
        found[sender_of[event_id]].append(event_id)
    named = (sender for sender in published if sender is not None)
    return next((sender for sender in named if found[sender] != published[sender]), None)
