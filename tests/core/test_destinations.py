"""Destinations: what is seen and changed of a broker's events, here and in a spool of others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from event_brokers import (
    BrokerClosed,
    ConfigurationError,
    DeadLetter,
    Event,
    EventBroker,
    RejectedEvents,
    SpoolError,
)
from event_brokers.delays import Delays
from event_brokers.destinations import Destination, destinations
from event_brokers.queues.spool import Spool
from event_brokers.queues.spool.file import SpoolFile
from event_brokers.queues.spool.request import Request
from event_brokers.testing import MemoryBroker
from spools import run_elsewhere
from waiting import next_line, wait_until

pytestmark = pytest.mark.usefixtures("alone")
QUICK = Delays(first=0.001, first_halted=0.001, longest=0.01)
RETRY = """
import sys
from pathlib import Path
from spools import open_spool
spool = open_spool(Path(sys.argv[1]))
assert spool.retry([sys.argv[2]]) == 1
spool.close()
"""
FORK = """
import os, sys, threading, warnings
from pathlib import Path
from event_brokers import Event
from event_brokers.destinations import destinations
from event_brokers.queues.spool import tables
from event_brokers.testing import MemoryBroker
from spools import open_spool
warnings.simplefilter("ignore")
folder, insert, amid = Path(sys.argv[1]), tables.insert, threading.Event()
open_spool(folder).close()
(destination,) = destinations([MemoryBroker().settings(spool=str(folder))])

def slow(connection, events):
    amid.set()
    threading.Event().wait(0.3)  # long enough for a fork that nothing holds
    return insert(connection, events)

def inherited():
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")
        except FileNotFoundError:
            continue  # the one that lists them
        if target.startswith(str(folder)):
            yield target

tables.insert = slow
accepting = threading.Thread(target=destination.accept, args=(Event.from_dict({}, "accepted"),))
accepting.start()
assert amid.wait(60)
child = os.fork()
if child == 0:
    print("inherited:", *inherited(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
accepting.join()
print("accepted:", *(event.id for event in destination.latest(5)), flush=True)
"""


@pytest.fixture(params=["memory", "spool"])
def delivery(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Return options of `delivery` for each kind of queue."""
    return {"spool": str(tmp_path / "spool")} if request.param == "spool" else {}


def only() -> Destination:
    """Return the one destination that there is."""
    (found,) = destinations()
    return found


def buried(memory: MemoryBroker, broker: EventBroker, count: int) -> list[str]:
    """Let the broker refuse so many events, and return their ids."""

    def refuse(batch: Any) -> None:
        raise RejectedEvents({each.id: "too large" for each in batch})

    memory.publishes.append(refuse)
    ids = broker.publish_many({"n": number} for number in range(count))
    wait_until(lambda: broker.status().dead_letters == count)
    return ids


def letters(destination: Destination) -> list[str]:
    """Return the ids of the dead letters."""
    with destination.dead_letters() as found:
        return [letter.event.id for letter in found]


def open_files(folder: Path) -> list[str]:
    """Return which files below a folder this process has open."""
    found = list[str]()
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the one that lists them
            found.append(str(descriptor.readlink()))
    return [each for each in found if each.startswith(str(folder))]


def test_an_event_is_found_where_it_is(delivery: dict[str, Any]) -> None:
    """While it waits, as a dead letter, and no longer once it is delivered."""
    memory = MemoryBroker(QUICK)
    with memory.start(**delivery) as broker:
        (dead,) = buried(memory, broker, 1)
        memory.hang()
        waiting = broker.publish({"n": 1})
        found = only().find(dead)
        assert isinstance(found, DeadLetter)
        assert found.event.id == dead
        assert isinstance(only().find(waiting), Event)
        assert only().find("unknown") is None
        memory.answer()
        broker.flush(10)
        assert only().find(waiting) is None


def test_the_latest_events_that_wait_come_first(delivery: dict[str, Any]) -> None:
    """So many as are wanted; dead letters and what has left are none of them."""
    memory = MemoryBroker(QUICK)
    with memory.start(**delivery) as broker:
        assert only().latest(10) == []
        buried(memory, broker, 1)
        memory.hang()
        ids = broker.publish_many({"n": number} for number in range(5))
        assert [event.id for event in only().latest(3)] == ids[:1:-1]
        assert [event.id for event in only().latest(10)] == ids[::-1]
        memory.answer()
        broker.flush(10)
        assert only().latest(10) == []


def test_dead_letters_on_disk_are_retried_and_dropped(tmp_path: Path) -> None:
    """An event that waits is dropped by no mistake, and one that is unknown is no failure."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        one, two, three = buried(memory, broker, 3)
        assert letters(only()) == [one, two, three]
        assert only().retry([two, "unknown"]) == 1
        wait_until(lambda: memory.ids() == [two])
        assert only().drop([one, two]) == 1
        assert letters(only()) == [three]
        memory.hang()
        waiting = broker.publish({})
        assert only().drop([waiting]) == 0
        memory.answer()
        broker.flush(10)
        assert memory.ids() == [two, waiting]


def test_what_somebody_retries_while_it_is_dropped_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits again at the last moment before the change, and only dead letters are dropped."""
    memory = MemoryBroker(QUICK)
    settings = memory.settings(spool=str(tmp_path / "spool"))
    with EventBroker(settings, QUICK) as broker:
        one, two = buried(memory, broker, 2)
    (destination,) = destinations([settings])
    change, changes = SpoolFile.change, list[Request[Any]]()

    def struck(file: SpoolFile, request: Request[Any], patience: float = 0.0) -> Any:
        changes.append(request)
        if len(changes) == 2:  # the first one opens it
            with run_elsewhere(RETRY, str(tmp_path / "spool"), one) as process:
                assert process.wait(60) == 0
        return change(file, request, patience)

    monkeypatch.setattr(SpoolFile, "change", struck)
    assert destination.drop([one, two]) == 1
    assert len(changes) == 2
    assert isinstance(destination.find(one), Event)
    assert [event.id for event in destination.latest(5)] == [one]
    assert letters(destination) == []


def test_dead_letters_of_a_broker_that_is_open_here_change_on_its_own_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second one is opened beside it."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        one, two, three = buried(memory, broker, 3)
        destination = only()
        opened = list[Path]()
        monkeypatch.setattr(
            Spool, "__init__", lambda _self, folder, *_, **_owner: opened.append(folder)
        )
        assert letters(destination) == [one, two, three]
        assert isinstance(destination.find(one), DeadLetter)
        assert destination.drop([one]) == 1
        assert destination.retry([two]) == 1
        wait_until(lambda: memory.ids() == [two])
        assert letters(destination) == [three]
        assert opened == []


def test_a_destination_whose_broker_was_closed_meanwhile_lets_go_of_its_files(
    tmp_path: Path,
) -> None:
    """What is asked of it is answered all the same."""
    memory = MemoryBroker(QUICK)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        (one,) = buried(memory, broker, 1)
        destination = only()
    assert letters(destination) == [one]
    assert isinstance(destination.find(one), DeadLetter)
    assert destination.latest(5) == []
    assert destination.drop([one]) == 1
    assert open_files(tmp_path) == []


def test_a_fork_inherits_nothing_of_a_spool_that_is_fed_from_outside(tmp_path: Path) -> None:
    """A child would keep the lock that all others wait for; the parent goes on."""
    with run_elsewhere(FORK, str(tmp_path / "spool")) as process:
        assert next_line(process) == "inherited:"
        assert next_line(process) == "accepted: accepted"
        assert process.wait(60) == 0


def test_dead_letters_in_memory_can_only_be_looked_at() -> None:
    """It says where they could be changed."""
    memory = MemoryBroker(QUICK)
    with memory.start() as broker:
        ids = buried(memory, broker, 2)
        assert letters(only()) == ids
        for change in (only().retry, only().drop):
            with pytest.raises(
                ConfigurationError, match=r"delivery\.spool: dead letters in memory"
            ):
                change(ids)


def test_an_event_that_is_accepted_goes_the_way_of_the_others(delivery: dict[str, Any]) -> None:
    """Until the broker is closed."""
    memory = MemoryBroker(QUICK)
    with memory.start(**delivery) as broker:
        destination = only()
        destination.accept(Event.from_dict({"event": "test"}, "first"))
        broker.flush(10)
        assert memory.ids() == ["first"]
    with pytest.raises(BrokerClosed):
        destination.accept(Event.from_dict({}))
    assert list(destinations()) == []


def test_a_spool_of_others_is_seen_and_fed_from_outside(tmp_path: Path) -> None:
    """Without making one that is not there, and without delivering from it."""
    memory = MemoryBroker(QUICK)
    settings = memory.settings(spool=str(tmp_path / "spool"))
    (absent,) = destinations([settings])
    assert not absent.look.is_attended
    assert (letters(absent), absent.latest(5)) == ([], [])
    asked: list[Callable[[], Any]] = [
        lambda: absent.find("a"),
        lambda: absent.accept(Event.from_dict({})),
        lambda: absent.retry(["a"]),
    ]
    for ask in asked:
        with pytest.raises(SpoolError, match="nothing was published into this spool yet"):
            ask()
    assert not (tmp_path / "spool").exists()
    with EventBroker(settings, QUICK) as broker:
        dead = buried(memory, broker, 2)
    (present,) = destinations([settings])
    assert letters(present) == dead
    present.accept(Event.from_dict({"event": "test"}, "waits"))
    assert [event.id for event in present.latest(5)] == ["waits"]
    assert present.retry(dead[:1]) == 1
    assert present.drop(dead[1:]) == 1
    assert memory.ids() == []
    with EventBroker(settings, QUICK) as broker:
        broker.flush(10)
    assert memory.ids() == ["waits", dead[0]]


def test_a_spool_that_is_open_here_is_shown_once(tmp_path: Path) -> None:
    """As the broker of this process, which knows more of it."""
    memory = MemoryBroker(QUICK)
    settings = memory.settings(spool=str(tmp_path / "spool"))
    with EventBroker(settings, QUICK):
        (found,) = destinations([settings])
        assert found.engine is not None


def test_a_spool_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    """And hides none of the others."""
    broken = tmp_path / "broken"
    broken.mkdir(mode=0o700)
    (broken / "data").mkdir(mode=0o700)
    (broken / "data" / "events.db").write_bytes(b"no database" * 1000)
    memory = MemoryBroker(QUICK)
    settings = [memory.settings(spool=str(broken)), memory.settings(spool=str(tmp_path / "none"))]
    first, second = destinations(settings)
    assert first.look.status is None
    assert first.problem is not None
    assert str(broken) in first.problem
    assert (second.problem, second.look.name) == (None, "memory-2")
