"""A spool of the version before is taken over where it stands, and nothing of it is lost."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from event_brokers import DeadLetter, Event
from event_brokers.errors import ConfigurationError
from event_brokers.queues.protocol import Counts
from event_brokers.queues.spool import schema
from event_brokers.queues.spool.schema import VERSION
from small_disk import fill_up, small_disk
from spools import BATCH_BYTES, DISK_BYTES, an_event, drain, ids, open_spool

# written by the release before the tables changed: its latest changes stand in the log, as SIGKILL
# leaves it
WRITTEN_BEFORE = Path(__file__).parent.parent / "data" / "spool-version-1"
BARE = Event.from_dict({"text": "without a conversation"}, "bare")
PENDING = [
    *(an_event(number) for number in range(5, 40) if number not in {5, 7, 20, 30}),
    an_event(7),
    BARE,
]
LETTERS = [DeadLetter(an_event(5), "too large", 17.5, 5), DeadLetter(an_event(20), "refused", 99.5)]
PREPARE = """
import sqlite3, sys
from event_brokers.queues.spool import schema
schema.prepare(sqlite3.connect(sys.argv[1], isolation_level=None))
"""
DURABLE_CALLS = ("pwrite64", "fdatasync", "fsync", "ftruncate", "unlink", "openat")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return the folder of a spool of version 1."""
    return copy(tmp_path / "spool")


def copy(folder: Path) -> Path:
    """Return a copy of the spool of version 1."""
    folder.mkdir(mode=0o700)
    shutil.copytree(WRITTEN_BEFORE, folder / "data")
    (folder / "data").chmod(0o700)
    for file in (folder / "data").iterdir():
        file.chmod(0o600)
    return folder


def numbers(counts: Counts) -> tuple[int, int, int, int]:
    """Return accepted, delivered, pending and dead letters."""
    return counts.accepted, counts.delivered, counts.pending, counts.dead_letters


def look_whole(folder: Path) -> None:
    """Fail where something of the old spool is not there."""
    spool = open_spool(folder)
    assert spool.dead_letters() == LETTERS
    assert numbers(spool.counts()) == (42, 7, 33, 2)
    assert spool.peek(100, BATCH_BYTES) == PENDING
    spool.close()


def test_all_of_it_is_there_and_goes_on(old: Path) -> None:
    """In order, with dead letters and counts; then events come and leave as in any other."""
    look_whole(old)
    spool = open_spool(old)
    spool.append([an_event(50), an_event(20)], 0)
    assert spool.retry([an_event(20).id]) == 1
    assert ids(drain(spool)) == [*ids(PENDING), an_event(50).id, an_event(20).id]
    assert numbers(spool.counts()) == (43, 42, 0, 1)
    spool.close()


def test_it_ends_up_with_the_very_tables_of_a_new_one(old: Path, tmp_path: Path) -> None:
    """On the same pages, so that the first page of a new spool can stand in for a lost one."""
    open_spool(old).close()
    open_spool(tmp_path / "new").close()
    assert tables(old) == tables(tmp_path / "new")


def tables(folder: Path) -> list[tuple[object, ...]]:
    """Return what SQLite knows of the tables, and where they are."""
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        return connection.execute("SELECT * FROM sqlite_schema ORDER BY rootpage").fetchall()


@pytest.mark.parametrize("page", ["the first", "one amid the events"])
def test_one_that_is_damaged_is_salvaged(
    old: Path, page: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whichever version it has."""
    with closing(sqlite3.connect(old / "data" / "events.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    file = old / "data" / "events.db"
    content = bytearray(file.read_bytes())
    place = 0 if page == "the first" else content.rindex(an_event(10).body) // 4096 * 4096
    content[place : place + 4096] = b"!" * 4096
    file.write_bytes(content)
    spool = open_spool(old)
    found = drain(spool)
    assert set(ids(found)) <= set(ids(PENDING))
    assert len(found) >= len(PENDING) - (0 if page == "the first" else 15)
    assert spool.dead_letters() == LETTERS
    assert "were salvaged" in caplog.text
    spool.close()


def test_a_takeover_that_finds_no_room_changes_nothing(tmp_path: Path) -> None:
    """The disk is full; once it is not, everything is there."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as disk:
        old = copy(disk / "spool")
        other = fill_up(disk)
        with pytest.raises(ConfigurationError, match="the disk is full"):
            open_spool(old)
        other.unlink()
        look_whole(old)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_takeover_that_is_killed_anywhere_is_done_by_the_next(tmp_path: Path) -> None:
    """Before each system call that changes the disk: the old tables, or the new ones."""
    points = list(crash_points(tmp_path))
    assert len(points) > 20
    for call, number in points:
        old = copy(tmp_path / f"{call}-{number}")
        inject = f"inject={call}:signal=KILL:when={number}"
        prepare(old, ["-o", "/dev/null", "-e", f"trace={call}", "-e", inject])
        with closing(sqlite3.connect(old / "data" / "events.db")) as connection:
            assert schema.version_of(connection) in {1, VERSION}
        look_whole(old)
        shutil.rmtree(old)


def crash_points(folder: Path) -> Iterator[tuple[str, int]]:
    """Return every durable system call of a takeover: its name, and the how manieth of its kind."""
    trace = folder / "trace"
    words = ["-o", str(trace), "-e", f"trace={','.join(DURABLE_CALLS)}"]
    assert prepare(copy(folder / "counted"), words) == 0
    lines = trace.read_text(encoding="utf-8", errors="replace").splitlines()
    for call in DURABLE_CALLS:
        found = [line for line in lines if f" {call}(" in line or line.startswith(f"{call}(")]
        first = next((n for n, line in enumerate(found, 1) if "counted" in line), 1)
        for number in range(first if call == "openat" else 1, len(found) + 1):
            yield call, number


def prepare(folder: Path, words: list[str]) -> int:
    """Take a spool over under strace; return how the process ended."""
    file = str(folder / "data" / "events.db")
    command = ["strace", "-qq", *words, sys.executable, "-B", "-c", PREPARE, file]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode
