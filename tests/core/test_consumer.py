"""Consumer: acknowledgement, reconnection and closing, with a plugin that a test scripts."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Consumer,
    Event,
    PluginError,
    ReceivedEvent,
    hookimpl,
)
from event_brokers.endpoints import DeliveryOptions, Settings
from event_brokers.plugins import Plugin
from waiting import wait_until

Script = Callable[[], Iterator[ReceivedEvent | None]]


class Scripted:
    """A plugin whose hook `consume` runs one script a connection."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = list(scripts)
        self.starts: list[bool] = []

    @hookimpl
    def connect(self, options: Any) -> Any:
        """Connect to nothing."""
        return options

    @hookimpl
    def publish(self, connection: Any, events: list[Event]) -> None:
        """Take nothing."""

    @hookimpl
    def close(self, connection: Any) -> None:
        """Release nothing."""

    @hookimpl
    def consume(self, from_start: bool) -> Iterator[ReceivedEvent | None]:
        """Run the next script."""
        self.starts.append(from_start)
        yield from self._scripts.pop(0)()

    def consumer(self, group: str | None = "g", from_start: bool = False) -> Consumer:
        """Return a consumer of this plugin."""
        settings = Settings(Plugin("scripted", "test 1", self), {}, DeliveryOptions())
        return Consumer(settings, group, from_start)


def received(number: int) -> ReceivedEvent:
    """Return an event."""
    return ReceivedEvent.from_body(b'{"n": %d}' % number, "here")


def fails_with(error: Exception) -> Iterator[ReceivedEvent | None]:
    """Raise when the first event is asked for."""
    if error:
        raise error
    yield None


def test_an_event_is_acknowledged_when_the_next_is_asked_for() -> None:
    """And the one in hand is not, when the consumer is closed."""
    acknowledged: list[int] = []

    def script() -> Iterator[ReceivedEvent | None]:
        for number in range(5):
            yield received(number)
            acknowledged.append(number)

    with Scripted(script).consumer() as consumer:
        assert [next(consumer).event, next(consumer).event] == [{"n": 0}, {"n": 1}]
        assert acknowledged == [0]
    assert acknowledged == [0]
    assert list(consumer) == []


def test_a_lost_connection_is_made_again_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """An outage costs one line and its end another; whoever consumes sees events alone."""

    def lost() -> Iterator[ReceivedEvent | None]:
        yield received(1)
        raise BrokerUnavailable("gone")

    def still_lost() -> Iterator[ReceivedEvent | None]:
        yield from fails_with(BrokerUnavailable("gone"))

    def back() -> Iterator[ReceivedEvent | None]:
        yield None
        yield received(2)

    plugin = Scripted(lost, still_lost, back)
    with caplog.at_level(logging.WARNING), plugin.consumer(from_start=True) as consumer:
        assert [next(consumer).event, next(consumer).event] == [{"n": 1}, {"n": 2}]
    lost_line, _ = caplog.messages
    assert lost_line.startswith("scripted: consuming: gone; next attempt in")
    assert plugin.starts == [True, True, True]


def test_without_a_group_the_start_is_shown_once() -> None:
    """Nobody keeps a position for `tail`, which must not show everything again."""

    def lost() -> Iterator[ReceivedEvent | None]:
        yield received(1)
        raise BrokerUnavailable("gone")

    plugin = Scripted(lost, lambda: iter([received(2)]))
    with plugin.consumer(group=None, from_start=True) as consumer:
        next(consumer)
        next(consumer)
    assert plugin.starts == [True, False]


def test_what_a_person_must_change_ends_the_consumer() -> None:
    """The sentence goes to the caller at once, and not into a log that nobody reads."""

    def script() -> Iterator[ReceivedEvent | None]:
        yield from fails_with(ConfigurationError("event_broker.password: is wrong"))

    with (
        Scripted(script).consumer() as consumer,
        pytest.raises(ConfigurationError, match="password: is wrong"),
    ):
        next(consumer)


def test_closing_from_another_thread_ends_a_consumer_that_waits() -> None:
    """Even where no event ever comes."""
    asked = threading.Event()

    def script() -> Iterator[ReceivedEvent | None]:
        while True:
            asked.set()
            yield None

    consumer = Scripted(script).consumer()
    found: list[ReceivedEvent] = []
    thread = threading.Thread(target=lambda: found.extend(consumer))
    thread.start()
    wait_until(asked.is_set)
    consumer.close()
    thread.join(10)
    assert not thread.is_alive()
    assert found == []


def test_a_generator_that_ends_is_its_authors_mistake() -> None:
    """A consumer that ended in silence would look like a broker without events."""
    with (
        Scripted(lambda: iter(())).consumer() as consumer,
        pytest.raises(PluginError, match="hook 'consume' ended"),
    ):
        next(consumer)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"\xff", "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[1]", "JSON, but a list and no object"),
        (b'{"a": NaN}', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_body_that_is_no_event_keeps_its_bytes(body: bytes, problem: str) -> None:
    """It is shown with the reason, and never lost."""
    event = ReceivedEvent.from_body(body, "here")
    assert (event.event, event.body, event.problem) == (None, body, problem)


@pytest.mark.parametrize("error", [OSError("reset"), KeyError("the client's own")])
def test_consuming_retries_what_publishing_retries(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the client raises, but what a person must change."""

    def lost() -> Iterator[ReceivedEvent | None]:
        yield from fails_with(error)

    plugin = Scripted(lost, lambda: iter([received(2)]))
    with plugin.consumer() as consumer:
        assert next(consumer).event == {"n": 2}
    assert f"scripted: consuming: {type(error).__name__}" in caplog.text


def test_an_error_while_closing_stays_inside_the_with_block(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A bad goodbye of a plugin hides nothing that came before it."""

    def script() -> Iterator[ReceivedEvent | None]:
        try:
            yield received(1)
        finally:
            raise RuntimeError("canary")

    with Scripted(script).consumer() as consumer:
        next(consumer)
    assert "scripted: closing the consumer failed: RuntimeError at" in caplog.text
    assert "canary" not in caplog.text


def test_a_signal_handler_may_close_a_consumer_that_waits() -> None:
    """On the very thread that waits for the next event; here the plugin stands for the handler."""
    released = threading.Event()

    def script() -> Iterator[ReceivedEvent | None]:
        try:
            yield received(1)
            consumer.close()  # as a handler would that strikes just here
            yield received(2)
        finally:
            released.set()

    consumer = Scripted(script).consumer()
    assert [each.event for each in consumer] == [{"n": 1}]
    assert released.is_set()


def test_what_a_consumer_has_used_is_handed_to_its_next_generator() -> None:
    """So that a plugin makes nothing anew that this consumer has received from."""
    seen: list[set[str]] = []

    class Placing(Scripted):
        """Receives from one queue."""

        @hookimpl
        def consume(self, used: set[str]) -> Iterator[ReceivedEvent | None]:  # type: ignore[override]
            """Note what was used before, and be lost once."""
            seen.append(set(used))
            used.add("queue 'q'")
            if len(seen) == 1:
                raise BrokerUnavailable("gone")
            yield received(1)

    with Placing().consumer() as consumer:
        next(consumer)
    assert seen == [set(), {"queue 'q'"}]


class TimeIsOver(Exception):
    """What an application's signal handler raises."""


def _raise_time_is_over(_number: int, _frame: object) -> None:
    raise TimeIsOver


class _Limit:
    """A handler that is an object, and one that is a method."""

    def __call__(self, _number: int, _frame: object) -> None:
        raise TimeIsOver

    def strike(self, _number: int, _frame: object) -> None:
        """Raise."""
        raise TimeIsOver


@pytest.mark.parametrize(
    "handler",
    [_raise_time_is_over, _Limit(), _Limit().strike, partial(_raise_time_is_over)],
    ids=["function", "object", "method", "partial"],
)
def test_what_a_signal_handler_raises_reaches_the_application(
    handler: Callable[[int, object], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It is no failure of the broker's, and is not retried."""

    def script() -> Iterator[ReceivedEvent | None]:
        yield received(1)
        signal.raise_signal(signal.SIGUSR1)
        yield received(2)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with Scripted(script).consumer() as consumer:
            next(consumer)
            with pytest.raises(TimeIsOver):
                next(consumer)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert caplog.messages == []
