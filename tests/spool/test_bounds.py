"""What a spool may take, what it counts, and what it remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from event_brokers import ConfigurationError, DeadLetter, Event, QueueFull
from event_brokers.queues.spool import Spool
from event_brokers.testing import MemoryBroker
from spools import BATCH_BYTES, an_event, drain, ids, open_spool
from waiting import wait_until

LARGE = 2_000_000


def large(number: int) -> Event:
    """Return an event of two million bytes."""
    return Event.from_dict({"n": number, "text": "x" * LARGE}, f"large{number}")


def test_dead_letters_take_no_room_from_good_events(tmp_path: Path) -> None:
    """Five of 2 MB each, and `max_bytes` is 10 MiB."""
    spool = Spool(tmp_path / "spool", "process", None, 10 * 1024**2, 100 * 1024**2, None)
    for number in range(5):
        spool.append([large(number)], 0)
        assert spool.bury([DeadLetter(large(number), "too large", 1.0)])
    spool.append([an_event(1)], 0)
    spool.append([large(5), large(6), large(7)], 0)
    with pytest.raises(QueueFull, match=r"delivery\.max_bytes"):
        spool.append([large(8), large(9), large(10)], 0)
    spool.close()


def test_dead_letters_are_bounded_in_bytes_and_none_is_dropped(tmp_path: Path) -> None:
    """Burying is refused with a sentence that names the commands which make room."""
    spool = Spool(tmp_path / "spool", "process", None, 2**40, 5_000_000, None)
    spool.append([large(number) for number in range(3)], 0)
    spool.bury([DeadLetter(large(0), "too large", 1.0), DeadLetter(large(1), "too large", 1.0)])
    with pytest.raises(ConfigurationError) as caught:
        spool.bury([DeadLetter(large(2), "too large", 1.0)])
    sentence = str(caught.value)
    assert sentence.startswith("event_broker.delivery.max_dead_letter_bytes: ")
    assert "event-brokers spool drop" in sentence
    assert "event-brokers spool export" in sentence
    assert ids(spool.peek(10, BATCH_BYTES)) == ["large2"]
    assert spool.counts().dead_letters == 2
    assert spool.bury([DeadLetter(large(0), "again", 2.0)]) == []  # is one already
    assert spool.drop(["large0"]) == 1
    assert len(spool.bury([DeadLetter(large(2), "too large", 1.0)])) == 1
    spool.close()


def test_delivery_halts_without_room_for_dead_letters_and_goes_on_with_it(tmp_path: Path) -> None:
    """Everything is kept; dropping one by the command line is enough."""
    folder = tmp_path / "spool"
    memory = MemoryBroker()
    memory.refused = {"large0": True, "large1": True}
    broker = memory.start(spool=str(folder), max_dead_letter_bytes=LARGE + 1000)
    for number in range(2):
        broker.publish({"n": number, "text": "x" * LARGE}, f"large{number}")
    broker.publish({"n": 2}, "good")
    wait_until(lambda: broker.status().state == "halted")
    assert "spool drop" in str(broker.status().last_error)
    other = open_spool(folder)
    assert other.drop(["large0"]) == 1
    other.close()
    status = broker.flush(30)
    assert (status.pending, status.dead_letters) == (0, 1)
    assert "good" in memory.ids()
    broker.close()


def test_what_an_event_takes_includes_its_headers(tmp_path: Path) -> None:
    """In a batch, and among the dead letters."""
    event = Event.from_dict({"n": 1}, "e1", {"trace": "x" * 5000})
    spool = Spool(tmp_path / "spool", "process", None, 2**40, 4000, None)
    spool.append([event, an_event(2)], 0)
    assert ids(spool.peek(10, 5000)) == ["e1"]
    with pytest.raises(ConfigurationError, match="max_dead_letter_bytes"):
        spool.bury([DeadLetter(event, "refused", 1.0)])
    spool.close()


def test_headers_wait_with_their_event(tmp_path: Path) -> None:
    """As they were given, pending, buried and sent again, also in the next program."""
    headers = {"traceparent": "00-0af7", "größe": "ß ☃"}
    events = [Event.from_dict({"n": 1}, "e1", headers), Event.from_dict({"n": 2}, "e2")]
    spool = open_spool(tmp_path / "spool")
    spool.append(events, 0)
    spool.close()
    spool = open_spool(tmp_path / "spool")
    assert spool.peek(10, BATCH_BYTES) == events
    spool.bury([DeadLetter(events[0], "refused", 1.0)])
    assert spool.dead_letters()[0].event.given_headers == headers
    spool.retry(["e1"])
    assert [event.given_headers for event in drain(spool)] == [{}, headers]
    spool.close()


def test_headers_that_were_changed_on_the_disk_are_not_delivered(tmp_path: Path) -> None:
    """The checksum covers them, too."""
    spool = open_spool(tmp_path / "spool")
    spool.append([Event.from_dict({"n": 1}, "e1", {"tenant": "alice"}), an_event(2)], 0)
    spool.close()
    file = tmp_path / "spool" / "data" / "events.db"
    file.write_bytes(file.read_bytes().replace(b'"tenant":"alice"', b'"tenant":"malle"'))
    spool = open_spool(tmp_path / "spool")
    assert drain(spool) == [an_event(2)]
    spool.close()


def test_places_are_remembered_until_they_are_forgotten(tmp_path: Path) -> None:
    """By whatever process uses the spool next."""
    spool = open_spool(tmp_path / "spool")
    assert spool.used_places() == frozenset()
    spool.remember_places(["queue a", "queue b"])
    spool.remember_places(["queue b"])
    spool.close()
    spool = open_spool(tmp_path / "spool")
    assert spool.used_places() == {"queue a", "queue b"}
    spool.forget_places()
    assert spool.used_places() == frozenset()
    spool.remember_places(["queue b"])
    assert spool.used_places() == {"queue b"}
    spool.close()


@pytest.mark.parametrize("leaves", ["settled", "buried", "dropped", "retried and settled"])
def test_the_number_of_an_event_never_returns(tmp_path: Path, leaves: str) -> None:
    """Whoever waits for all up to a number would wait for another event."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1), an_event(2)], 0)
    spool.peek(10, BATCH_BYTES)
    last = spool._numbers["e000002"]
    letter = DeadLetter(an_event(2), "refused", 1.0)
    if leaves == "settled":
        spool.settle(["e000002"])
    elif leaves == "dropped":
        spool.drop(["e000002"])
    else:
        spool.bury([letter])
    if leaves == "retried and settled":
        spool.retry(["e000002"])
        spool.settle(["e000002"])
    spool.close()
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(3)], 0)
    spool.peek(10, BATCH_BYTES)
    assert spool._numbers["e000003"] > last
    counts = spool.counts()
    assert counts.pending == 2
    assert counts.accepted == counts.delivered + counts.pending + counts.dead_letters
    spool.close()


def test_events_that_leave_together_are_counted_one_by_one(tmp_path: Path) -> None:
    """A run of numbers, with gaps that others have left; unknown ids are nothing."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(number) for number in range(100)], 0)
    batch = ids(spool.peek(60, BATCH_BYTES))
    other = open_spool(tmp_path / "spool")
    assert other.drop([an_event(number).id for number in (10, 11, 50)]) == 3
    other.close()
    assert spool.settle([*batch, "unknown"]) == 57
    assert ids(spool.peek(100, BATCH_BYTES)) == [an_event(number).id for number in range(60, 100)]
    assert (spool.counts().delivered, spool.counts().accepted) == (57, 97)
    spool.close()


@pytest.mark.parametrize("count", [3, 64, 65, 200])
def test_what_is_known_is_not_stored_again_however_large_the_batch(
    tmp_path: Path, count: int
) -> None:
    """Neither what waits, nor what is a dead letter, nor what comes twice in the batch."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1), an_event(2)], 0)
    spool.bury([DeadLetter(an_event(2), "refused", 1.0)])
    events = [an_event(number) for number in range(count)]
    spool.append([*events, an_event(0)], 0)
    stored = [1, 0, *range(3, count)]
    assert ids(spool.peek(count, BATCH_BYTES)) == [an_event(number).id for number in stored]
    assert (spool.counts().pending, spool.counts().dead_letters) == (count - 1, 1)
    assert spool.counts().accepted == count
    spool.close()


def test_another_file_in_the_place_of_the_first_loses_nothing(tmp_path: Path) -> None:
    """The numbers of a batch mean other events there: only those that were confirmed leave."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(number) for number in range(20)], 0)
    batch = ids(spool.peek(20, BATCH_BYTES))
    for file in (tmp_path / "spool" / "data").iterdir():
        file.unlink()
    spool.append([an_event(number) for number in range(100, 120)], 0)
    assert spool.settle(batch) == 0
    assert len(drain(spool)) == 20
    spool.close()
