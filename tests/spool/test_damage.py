"""A damaged spool is set aside and never deleted; what can be read in it is delivered."""

from __future__ import annotations

import logging
import os
import random
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from event_brokers import DeadLetter, Event
from event_brokers.queues.spool import Spool, salvage, tables
from event_brokers.queues.spool.reading import NotReady, Reader
from event_brokers.testing import MemoryBroker
from spools import BATCH_BYTES, an_event, drain, ids, open_spool

PAGE = 4096
EVENTS = 2000

Damage = Callable[[bytearray], None]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a sound spool: many events, three dead letters, one delivered."""
    folder = tmp_path_factory.mktemp("sound") / "spool"
    spool = open_spool(folder)
    spool.append([an_event(number) for number in range(EVENTS + 4)], 0)
    spool.settle([an_event(EVENTS).id])
    numbers = range(EVENTS + 1, EVENTS + 4)
    spool.bury([DeadLetter(an_event(number), "too large", 1.5, 3) for number in numbers])
    spool.close()
    return folder


def copy(sound: Path, folder: Path, damage: Damage) -> Path:
    """Return a damaged copy of a spool."""
    shutil.copytree(sound, folder)
    file = folder / "data" / "events.db"
    content = bytearray(file.read_bytes())
    damage(content)
    file.write_bytes(content)
    return folder


def untouched(content: bytearray) -> None:
    """Change nothing."""


def without_header(content: bytearray) -> None:
    """Overwrite the first page: nothing says any more that this is a database."""
    content[:PAGE] = random.Random(1).randbytes(PAGE)


def with_zeroed_page(content: bytearray) -> None:
    """Lose a page in the middle, as a disk does."""
    middle = len(content) // PAGE // 2 * PAGE
    content[middle : middle + PAGE] = bytes(PAGE)


def cut_in_half(content: bytearray) -> None:
    """Lose the second half."""
    del content[len(content) // 2 :]


@pytest.mark.parametrize(
    ("damage", "readable"),
    [
        pytest.param(without_header, EVENTS, id="first page overwritten"),
        pytest.param(with_zeroed_page, EVENTS - 100, id="a page in the middle zeroed"),
        pytest.param(cut_in_half, EVENTS // 4, id="cut in half"),
    ],
)
def test_what_is_readable_is_delivered_in_order(
    sound: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Damage,
    readable: int,
) -> None:
    """The rest is set aside, and the log says where and how much was salvaged."""
    spool = open_spool(copy(sound, tmp_path / "spool", damage))
    events = drain(spool)
    assert len(events) >= readable
    assert ids(events) == sorted(set(ids(events)))
    assert all(event == an_event(int(event.id[1:])) for event in events)
    (aside,) = (tmp_path / "spool").glob("damaged-*")
    assert (aside / "events.db").stat().st_size > 0
    assert f"set aside as '{aside.name}'" in caplog.text
    assert "events and" in caplog.text
    assert "were salvaged" in caplog.text
    spool.append([an_event(EVENTS + 10)], 0)
    assert ids(drain(spool)) == [an_event(EVENTS + 10).id]
    spool.close()


def test_dead_letters_and_totals_are_salvaged_too(sound: Path, tmp_path: Path) -> None:
    """With reason, time and attempts; and the count of what was delivered goes on."""
    spool = open_spool(copy(sound, tmp_path / "spool", without_header))
    letters = spool.dead_letters()
    expected = ("too large", 1.5, 3)
    assert [(letter.reason, letter.time, letter.attempts) for letter in letters] == [expected] * 3
    assert [letter.event for letter in letters] == [
        an_event(number) for number in range(EVENTS + 1, EVENTS + 4)
    ]
    counts = spool.counts()
    assert (counts.delivered, counts.dead_letters) == (1, 3)
    assert counts.accepted == counts.delivered + counts.pending + counts.dead_letters
    spool.close()


def test_a_file_of_nothing_but_noise_is_set_aside(sound: Path, tmp_path: Path) -> None:
    """Nothing can be salvaged, and the spool can be used all the same."""

    def noise(content: bytearray) -> None:
        content[:] = random.Random(1).randbytes(len(content))

    spool = open_spool(copy(sound, tmp_path / "spool", noise))
    assert drain(spool) == []
    spool.append([an_event(1)], 0)
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_a_body_that_was_changed_on_the_disk_is_not_delivered(sound: Path, tmp_path: Path) -> None:
    """SQLite would not notice: the row is as valid as before."""
    body = an_event(700).body
    other = body.replace(b'"text":"xx', b'"text":"!x')
    assert body != other

    def change(content: bytearray) -> None:
        place = content.index(body)
        content[place : place + len(body)] = other

    spool = open_spool(copy(sound, tmp_path / "spool", change))
    expected = [an_event(number).id for number in range(EVENTS) if number != 700]
    assert ids(drain(spool)) == expected
    spool.close()


def test_an_index_that_lost_an_event_makes_no_endless_duplicates(
    sound: Path, tmp_path: Path
) -> None:
    """An event that is found but cannot be taken out again would be sent for ever."""
    needle = an_event(5).id.encode()

    def change(content: bytearray) -> None:
        # the second of the two places is in the index: the table's rows come first
        places = [place for place in range(len(content)) if content.startswith(needle, place)]
        index = next(place for place in places if not content[place + 7 :].startswith(b'{"'))
        content[index : index + len(needle)] = b"zzzzzzz"

    spool = open_spool(copy(sound, tmp_path / "spool", change))
    found = ids(drain(spool))
    assert len(set(found)) == EVENTS
    assert len(found) <= EVENTS + 500
    spool.close()


@settings(max_examples=30)
@example(flips=[(0.004874860603498066, 128)])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(1, 255))))
def test_whatever_bytes_flip_no_wrong_event_comes_out(
    sound: Path, tmp_path_factory: pytest.TempPathFactory, flips: list[tuple[float, int]]
) -> None:
    """Each event that comes out is one that went in; the spool works on."""

    def flip(content: bytearray) -> None:
        for place, mask in flips:
            content[int(place * len(content))] ^= mask

    spool = open_spool(copy(sound, tmp_path_factory.mktemp("flipped") / "spool", flip))
    for event in drain(spool):
        assert event == an_event(int(event.id[1:]))
    spool.append([an_event(EVENTS + 10)], 0)
    assert an_event(EVENTS + 10) in drain(spool)
    spool.close()


def test_damage_that_comes_while_it_is_open_is_found(
    sound: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A running program salvages too, and another one that has the file open follows."""
    caplog.set_level(logging.WARNING)
    folder = copy(sound, tmp_path / "spool", untouched)
    first, second = open_spool(folder), open_spool(folder)
    second.append([an_event(EVENTS + 10)], 0)
    file = folder / "data" / "events.db"
    with file.open("r+b") as opened:
        opened.seek(PAGE * 20)
        opened.write(bytes(file.stat().st_size - PAGE * 20))
    assert an_event(0) in drain(first)
    assert "were salvaged" in caplog.text
    second.append([an_event(EVENTS + 11)], 0)
    assert ids(drain(first)) == [an_event(EVENTS + 11).id]
    first.close()
    second.close()


def test_a_salvage_that_was_interrupted_is_finished_at_the_next_start(
    sound: Path, tmp_path: Path
) -> None:
    """Killed between setting aside and reading, the process had delivered nothing of it."""
    folder = copy(sound, tmp_path / "spool", untouched)
    (folder / "data").rename(folder / "damaged-20260101T000000Z-1.unread")
    spool = open_spool(folder)
    assert len(drain(spool)) == EVENTS
    assert (folder / "damaged-20260101T000000Z-1").is_dir()
    spool.close()


def test_nothing_seems_to_have_left_while_a_damaged_file_is_read(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new file is empty until then; whoever waits for an empty spool must not believe it."""
    folder = copy(sound, tmp_path / "spool", with_zeroed_page)
    is_reading, go_on = threading.Event(), threading.Event()
    read = salvage._events

    def wait(damaged: sqlite3.Connection) -> Iterator[Event]:
        is_reading.set()
        assert go_on.wait(60)
        yield from read(damaged)

    monkeypatch.setattr(salvage, "_events", wait)
    spool = open_spool(folder)
    looking = threading.Thread(target=spool.peek, args=(2 * EVENTS, BATCH_BYTES))
    looking.start()
    assert is_reading.wait(20)
    with closing(Reader(folder / "data" / "events.db")) as reader:
        with pytest.raises(NotReady):
            reader.read(tables.first_number)
        go_on.set()
        looking.join(20)
        assert reader.read(tables.first_number) == 1
    spool.close()


def with_wrong_end(path: Path) -> None:
    """Let the last page of the events have more rows than it has: SQLite reads numbers of 0."""
    with closing(sqlite3.connect(path)) as connection:
        root = "SELECT rootpage FROM sqlite_master WHERE name = 'events'"
        page = connection.execute(root).fetchone()[0]
    content = bytearray(path.read_bytes())
    while content[(page - 1) * PAGE] == 5:  # a page that points to others, to the last one here
        start = (page - 1) * PAGE + 8
        page = int.from_bytes(content[start : start + 4], "big")
    content[(page - 1) * PAGE + 4] ^= 1 << 4  # how many rows there are
    path.write_bytes(content)


@pytest.fixture
def wrong_end(tmp_path: Path) -> Spool:
    """Return a spool that nothing has left yet, with such damage."""
    folder = tmp_path / "spool"
    spool = open_spool(folder)
    spool.append([an_event(number) for number in range(EVENTS)], 0)
    spool.close()
    with_wrong_end(folder / "data" / "events.db")
    return open_spool(folder)


@pytest.mark.parametrize("count", [1, 200])
def test_no_event_is_taken_and_not_stored_where_numbers_are_wrong(
    wrong_end: Spool, count: int
) -> None:
    """It would get a number that another one has, and be ignored as one with a known id is."""
    new = [an_event(EVENTS + 10 + number) for number in range(count)]
    wrong_end.append(new, 0)
    found = ids(drain(wrong_end))
    assert found[-count:] == ids(new)
    assert len(found) > EVENTS - 20
    wrong_end.close()


def test_nobody_believes_that_all_has_left_where_numbers_are_wrong(wrong_end: Spool) -> None:
    """A last number that lies before the first one tells of damage, and not of an empty spool."""
    assert not wrong_end.wait_until_left(0)
    assert wrong_end.counts().pending == len(drain(wrong_end)) > EVENTS - 20
    wrong_end.close()


def test_the_counts_are_those_of_what_can_be_read_where_numbers_are_wrong(
    wrong_end: Spool,
) -> None:
    """The status does not say that nothing waits."""
    assert wrong_end.counts().pending == len(drain(wrong_end)) > EVENTS - 20
    wrong_end.close()


def test_a_log_that_is_missing_loses_only_what_stood_in_it(tmp_path: Path) -> None:
    """What was checkpointed is delivered; the file is no less sound for it."""
    folder, copied = tmp_path / "spool", tmp_path / "copied"
    spool = open_spool(folder)
    spool.append([an_event(number) for number in range(100)], 0)
    spool.close()
    spool = open_spool(folder)
    spool.append([an_event(100)], 0)
    shutil.copytree(folder, copied)
    (copied / "data" / "events.db-wal").unlink()
    (copied / "data" / "events.db-shm").unlink()
    spool.close()
    restored = open_spool(copied)
    assert ids(drain(restored)) == [an_event(n).id for n in range(100)]
    restored.close()


def test_a_broker_on_a_damaged_spool_delivers_and_goes_on(sound: Path, tmp_path: Path) -> None:
    """Users find their events at the broker, whatever happened to the disk."""
    folder = copy(sound, tmp_path / "spool", without_header)
    memory = MemoryBroker()
    with memory.start(spool=os.fspath(folder)) as broker:
        broker.publish({"n": 1}, "new")
        broker.flush(30)
    assert memory.ids() == [*(an_event(number).id for number in range(EVENTS)), "new"]
