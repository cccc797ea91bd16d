"""A filter or handler of the application's log that raises keeps nothing from being delivered."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from event_brokers import BrokerUnavailable, ConfigurationError, EventBroker, UndeliveredEvents
from event_brokers.testing import MemoryBroker
from waiting import wait_until

FAILURES = [
    pytest.param(RuntimeError("the log is full"), id="error"),
    pytest.param(SystemExit(1), id="exit"),
]
PLACES = [
    "filter of event_brokers", "handler of event_brokers", "handler of root",
    "filter of a handler of root",
]  # fmt: skip


class Raising(logging.Handler):
    """A filter and a handler whose work fails.

    Parameters:
        failure: what they raise.

    Attributes:
        asked: how often they did.
    """

    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.asked = 0
        self._failure = failure

    def filter(self, record: logging.LogRecord) -> bool:
        """Fail, where records of this project are concerned."""
        return self._fail(record)

    def handle(self, record: logging.LogRecord) -> bool:
        """Fail, as `emit` does where nothing catches it."""
        return self._fail(record)

    def _fail(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith("event_brokers"):
            return True
        self.asked += 1
        raise self._failure


class Filtered(logging.Handler):
    """A handler that is sound, and has a filter that is not."""

    def emit(self, record: logging.LogRecord) -> None:
        """Do nothing."""


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return where something fails; all is as before when the test has ended."""
    ours, root = logging.getLogger("event_brokers"), logging.getLogger()
    before = [(log, log.level, log.handlers[:], log.filters[:]) for log in (ours, root)]
    ours.setLevel(logging.DEBUG)
    yield request.param
    for log, level, handlers, filters in before:
        log.setLevel(level)
        log.handlers[:] = handlers
        log.filters[:] = filters


def install(place: str, raising: Raising) -> None:
    """Let a filter or a handler raise.

    Parameters:
        place: one of PLACES.
        raising: the filter or handler.
    """
    log = logging.getLogger(None if place.endswith("root") else "event_brokers")
    if place.startswith("filter of a handler"):
        handler = Filtered()
        handler.addFilter(raising)
        log.addHandler(handler)
    elif place.startswith("filter"):
        log.addFilter(raising)
    else:
        log.addHandler(raising)


@pytest.mark.parametrize("failure", FAILURES)
def test_delivery_goes_on_although_the_log_fails(
    place: str, failure: BaseException, tmp_path: Path
) -> None:
    """Through an outage and a halt, which it logs; the status tells each of them."""
    raising = Raising(failure)
    install(place, raising)
    memory = MemoryBroker()
    memory.connects.extend(
        [BrokerUnavailable("nobody listens"), ConfigurationError("the password is wrong")]
    )
    with closing_soon(memory.start(spool=str(tmp_path / "waiting"))) as broker:
        ids = [broker.publish({"number": number}) for number in range(3)]
        wait_until(lambda: status_is(broker, "halted", "the password is wrong"))
        wait_until(lambda: status_is(broker, "connected", None))
        assert broker.flush(20).pending == 0
        memory.publishes.append(BrokerUnavailable("the connection was lost"))
        ids.append(broker.publish({"number": 3}))
        assert broker.flush(20).pending == 0
        wait_until(lambda: status_is(broker, "connected", None))
    status = broker.close()
    assert (status.accepted, status.delivered, status.state) == (4, 4, "closed")
    assert memory.ids() == ids
    assert memory.open == 0
    assert raising.asked > 0


@pytest.mark.parametrize("failure", FAILURES)
def test_a_dead_letter_is_kept_although_the_log_fails(place: str, failure: BaseException) -> None:
    """It is counted once, and those behind it are delivered."""
    install(place, raising := Raising(failure))
    memory = MemoryBroker()
    memory.refused["refused"] = True
    with closing_soon(memory.start()) as broker:
        broker.publish({}, event_id="refused")
        broker.publish({}, event_id="taken")
        status = broker.flush(20)
        assert (status.pending, status.dead_letters, status.delivered) == (0, 1, 1)
        assert [letter.event.id for letter in broker.dead_letters()] == ["refused"]
        wait_until(lambda: status_is(broker, "connected", None))
    assert raising.asked > 0
    assert memory.ids() == ["taken"]


@contextmanager
def closing_soon(broker: EventBroker) -> Iterator[EventBroker]:
    """Hand out a broker that is closed afterwards, for the sake of the tests that follow."""
    try:
        yield broker
    finally:
        with suppress(UndeliveredEvents):
            broker.close(5)


def status_is(broker: EventBroker, state: str, last_error: str | None) -> bool:
    """Return whether the broker says so."""
    status = broker.status()
    return (status.state, status.last_error) == (state, last_error)
