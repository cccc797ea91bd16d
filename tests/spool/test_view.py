"""Looking at a spool from outside changes nothing in it, in whatever state it is."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from event_brokers import SpoolError
from event_brokers.destinations import Destination, destinations
from event_brokers.look import look_from_outside
from event_brokers.queues.protocol import Counts, DeadLetter
from event_brokers.queues.spool import opening, schema, tables
from event_brokers.queues.spool import view as view_module
from event_brokers.queues.spool.view import view
from event_brokers.settings import Settings
from event_brokers.testing import MemoryBroker
from other_user import as_another_user
from spools import an_event, open_spool, run_elsewhere, tree
from waiting import next_line

KILLED = """
import os, signal, sys
from pathlib import Path
from spools import an_event, open_spool
spool = open_spool(Path(sys.argv[1]))
spool.append([an_event(number) for number in range(7)], 0)
os.kill(os.getpid(), signal.SIGKILL)
"""
HELD = """
import sys
from pathlib import Path
from spools import an_event, open_spool
spool = open_spool(Path(sys.argv[1]))
assert spool.right.acquire()
spool.append([an_event(number) for number in range(5)], 0)
print("ready", flush=True)
sys.stdin.read()
"""


def make(folder: Path) -> None:
    """Make a spool with five events, and close it."""
    spool = open_spool(folder)
    spool.append([an_event(number) for number in range(5)], 0)
    spool.close()


def bury(folder: Path, count: int) -> None:
    """Make a spool with so many dead letters, and close it."""
    spool = open_spool(folder)
    events = [an_event(number) for number in range(count)]
    spool.append(events, 0)
    spool.bury([DeadLetter(event, "refused", 0.0) for event in events])
    spool.close()


def letters(destination: Destination) -> list[str]:
    """Return the ids of the dead letters."""
    with destination.dead_letters() as found:
        return [letter.event.id for letter in found]


def settings_of(folder: Path) -> Settings:
    """Return a section with a spool."""
    return MemoryBroker().settings(spool=str(folder))


def missing(_folder: Path) -> None:
    """Make nothing."""


def empty(folder: Path) -> None:
    """Make the folder alone, as an administrator does."""
    folder.mkdir(mode=0o700)


def begun(folder: Path) -> None:
    """Let a process have ended when it had made the file, and nothing in it."""
    empty(folder)
    (folder / "data").mkdir(mode=0o700)
    (folder / "data" / "events.db").touch(mode=0o600)


def killed(folder: Path) -> None:
    """Let a process make it that is killed: what it has stored stands in the log."""
    with run_elsewhere(KILLED, str(folder)) as process:
        process.wait(60)
    assert (folder / "data" / "events.db-wal").stat().st_size > 0


def damaged(folder: Path) -> None:
    """Overwrite the first page."""
    make(folder)
    with (folder / "data" / "events.db").open("r+b") as opened:
        opened.write(b"x" * 4096)


def without_data(folder: Path) -> None:
    """Let somebody remove the file."""
    make(folder)
    (folder / "data" / "events.db").unlink()


def without_index(folder: Path) -> None:
    """Let a copy of it lack the index of its log."""
    killed(folder)
    (folder / "data" / "events.db-shm").unlink()


def set_aside(folder: Path) -> None:
    """Let a process have ended amid a repair."""
    make(folder)
    (folder / "data").rename(folder / "damaged-20260101T000000Z-1.unread")


def older(folder: Path) -> None:
    """Let a former version have made it."""
    empty(folder)
    (folder / "data").mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        schema.prepare(connection, 1)


def another_program_s(folder: Path) -> None:
    """Let it be no spool at all."""
    empty(folder)
    (folder / "data").mkdir(mode=0o700)
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        connection.execute("CREATE TABLE x (y)")


STATES: list[tuple[Callable[[Path], None], int | str]] = [
    (missing, 0),
    (empty, 0),
    (begun, 0),
    (make, 5),
    (killed, 7),
    (damaged, "the next program that publishes repairs it"),
    (without_data, "is missing; the next program that publishes makes it"),
    (without_index, "its log has no index"),
    (set_aside, "a damaged file was set aside"),
    (older, "was written by an older event-brokers"),
    (another_program_s, "holds a database of another program"),
]


@pytest.mark.parametrize(("prepare", "expected"), STATES)
def test_looking_changes_nothing(
    tmp_path: Path, prepare: Callable[[Path], None], expected: int | str
) -> None:
    """Not a name, a time or a byte; what cannot be read as it stands there is said."""
    folder = tmp_path / "spool"
    prepare(folder)
    before = tree(tmp_path)
    settings = MemoryBroker().settings(spool=str(folder))
    if isinstance(expected, int):
        look = look_from_outside(settings)
        assert look.status is not None
        assert (look.status.pending, look.is_attended) == (expected, False)
    else:
        with pytest.raises(SpoolError, match=expected):
            look_from_outside(settings)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(("prepare", "expected"), STATES)
def test_reading_events_changes_nothing(
    tmp_path: Path, prepare: Callable[[Path], None], expected: int | str
) -> None:
    """Neither what waits, nor dead letters, nor one of them; it is refused as a look is."""
    folder = tmp_path / "spool"
    prepare(folder)
    before = tree(tmp_path)
    (destination,) = destinations([settings_of(folder)])
    asked: list[Callable[[], Any]] = [
        lambda: [event.id for event in destination.latest(2)],
        lambda: letters(destination),
        lambda: destination.find("e000001"),
    ]
    if isinstance(expected, str):
        for ask in asked:
            with pytest.raises(SpoolError, match=expected):
                ask()
    elif expected == 0:
        assert [ask() for ask in asked[:2]] == [[], []]
        with pytest.raises(SpoolError, match="nothing was published into this spool yet"):
            asked[2]()
    else:
        latest = [an_event(number).id for number in (expected - 1, expected - 2)]
        assert [ask() for ask in asked] == [latest, [], an_event(1)]
    assert tree(tmp_path) == before


def test_reading_events_of_a_spool_in_use_changes_nothing(tmp_path: Path) -> None:
    """They are as they are now, with what stands in the log alone."""
    folder = tmp_path / "spool"
    with run_elsewhere(HELD, str(folder)) as process:
        assert next_line(process) == "ready"
        before = tree(folder)
        (destination,) = destinations([settings_of(folder)])
        assert [event.id for event in destination.latest(1)] == ["e000004"]
        assert destination.find("e000000") == an_event(0)
        assert letters(destination) == []
        assert tree(folder) == before


def test_an_altered_event_is_said_and_left_as_it_is(tmp_path: Path) -> None:
    """The file is sound, but a row of it is not what was written."""
    folder = tmp_path / "spool"
    make(folder)
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        connection.execute("UPDATE events SET body = x'00' WHERE event_id = 'e000004'")
        connection.commit()
    before = tree(folder)
    (destination,) = destinations([settings_of(folder)])
    for ask in (lambda: destination.latest(1), lambda: destination.find("e000004")):
        with pytest.raises(SpoolError, match="the next program that publishes repairs it"):
            ask()
    assert destination.find("e000003") == an_event(3)
    assert tree(folder) == before


@pytest.mark.parametrize("count", [499, 500, 501, 1203])
def test_however_many_dead_letters_there_are_all_are_read_in_order(
    tmp_path: Path, count: int
) -> None:
    """They are read a piece at a time, and each of them once."""
    folder = tmp_path / "spool"
    bury(folder, count)
    before = tree(folder)
    (destination,) = destinations([settings_of(folder)])
    assert letters(destination) == [an_event(number).id for number in range(count)]
    assert tree(folder) == before


def test_dead_letters_that_are_dropped_while_they_are_read_hide_no_others(tmp_path: Path) -> None:
    """Whoever reads holds nobody up, and goes on behind those that it has read."""
    folder = tmp_path / "spool"
    bury(folder, 1203)
    (destination,) = destinations([settings_of(folder)])
    with destination.dead_letters() as found:
        rest = iter(found)
        first = next(rest).event.id
        assert destination.drop([first, an_event(1100).id]) == 2
        read = [first, *(letter.event.id for letter in rest)]
    left = [an_event(number).id for number in range(1203) if number != 1100]
    assert [event_id for event_id in read if event_id in left] == left


def test_a_spool_in_use_is_seen_as_it_is_now(tmp_path: Path) -> None:
    """With what stands in the log alone, and nothing is added to what its process has there."""
    folder = tmp_path / "spool"
    with run_elsewhere(HELD, str(folder)) as process:
        assert next_line(process) == "ready"
        before = tree(folder)
        found = view(folder)
        assert found is not None
        assert (found.counts.pending, found.is_attended) == (5, True)
        assert tree(folder) == before


def test_who_opens_it_while_it_is_looked_at_can_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the same process, in which SQLite would share what was opened for reading alone."""
    folder = tmp_path / "spool"
    killed(folder)
    is_looking, go_on = threading.Event(), threading.Event()
    counts = tables.counts

    def wait(connection: sqlite3.Connection) -> Counts:
        found = counts(connection)
        is_looking.set()
        assert go_on.wait(60)
        return found

    monkeypatch.setattr(view_module, "counts", wait)
    looking = threading.Thread(target=view, args=(folder,))
    looking.start()
    assert is_looking.wait(20)
    done: list[int] = []

    def write() -> None:
        spool = open_spool(folder)
        spool.append([an_event(100)], 0)
        done.append(spool.counts().pending)
        spool.close()

    writing = threading.Thread(target=write)
    writing.start()
    writing.join(0.2)
    go_on.set()
    looking.join(60)
    writing.join(60)
    assert done == [8]


def test_a_folder_that_is_closed_to_the_user_is_an_error_of_the_spool(tmp_path: Path) -> None:
    """A sentence, and not Python's PermissionError."""
    (tmp_path / "closed").mkdir(mode=0o700)
    settings = settings_of(tmp_path / "closed" / "spool")
    with as_another_user(), pytest.raises(SpoolError, match="permission denied"):
        look_from_outside(settings)


def test_a_path_that_the_system_refuses_is_an_error_of_the_spool(tmp_path: Path) -> None:
    """Whatever the system says of it."""
    with pytest.raises(SpoolError, match="name too long"):
        look_from_outside(settings_of(tmp_path / ("x" * 300)))


def test_who_publishes_in_a_signal_handler_above_a_look_is_not_held_up_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that stores has to open the file, which the look below does not let it do yet."""
    folder = tmp_path / "spool"
    make(folder)
    counts = tables.counts
    spool = open_spool(folder)
    spool.close()
    monkeypatch.setattr(opening, "_PATIENCE_SECONDS", 0.1)

    def strike(connection: sqlite3.Connection) -> Counts:
        spool.append([an_event(100)], 0)
        return counts(connection)

    monkeypatch.setattr(view_module, "counts", strike)
    with suppress(SpoolError):  # the file may have changed its kind just then, which the look says
        seen = view(folder)
        assert seen is not None
        assert seen.counts.pending in (5, 6)
    monkeypatch.setattr(view_module, "counts", counts)
    assert spool.counts().pending == 6
    spool.close()
