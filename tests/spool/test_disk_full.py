"""A full disk stops nothing but accepting: what waits leaves, and room comes back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from event_brokers import Event, QueueFull, SpoolError
from event_brokers.queues.spool import Spool
from event_brokers.testing import MemoryBroker
from small_disk import fill_up, small_disk
from spools import DISK_BYTES, accept_until, an_event, drain, ids, open_spool
from waiting import wait_until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with a small disk of its own."""
    with small_disk(tmp_path / "disk", DISK_BYTES) as folder:
        yield folder


def fill(spool: Spool, first: int = 0) -> list[str]:
    """Append until the disk is full, and return the ids that were accepted."""
    refused = accept_until(SpoolError, lambda number: spool.append([an_event(first + number)], 0))
    return [an_event(first + number).id for number in range(refused)]


def test_a_full_disk_refuses_events_and_loses_none(disk: Path) -> None:
    """What was accepted leaves although nothing can be written, and frees the room for more."""
    spool = open_spool(disk / "spool")
    accepted = fill(spool)
    foreign = fill_up(disk)
    assert ids(drain(spool)) == accepted
    counts = spool.counts()
    assert (counts.delivered, counts.pending) == (len(accepted), 0)
    foreign.unlink()
    spool.append([an_event(len(accepted))], 0)
    assert ids(drain(spool)) == [an_event(len(accepted)).id]
    spool.close()


def test_a_refused_event_names_its_id_for_a_retry(disk: Path) -> None:
    """Nobody knows whether a commit that failed was made: the same id makes trying again safe."""
    spool = open_spool(disk / "spool")
    accepted = fill(spool)
    refused = an_event(len(accepted))
    with pytest.raises(SpoolError) as caught:
        spool.append([refused], 0)
    assert caught.value.event_ids == (refused.id,)
    assert ids(drain(spool)) == accepted
    spool.append([refused], 0)
    assert drain(spool) == [refused]
    spool.close()


def test_a_program_that_was_killed_on_a_full_disk_starts_and_drains(disk: Path) -> None:
    """Starting needs no room that is not there."""
    program = """
import os, sys
from pathlib import Path
from spool_on_a_full_disk import fill
from small_disk import fill_up
from spools import open_spool

accepted = fill(open_spool(Path(sys.argv[1]) / "spool"))
fill_up(Path(sys.argv[1]))
print(len(accepted), flush=True)
os.kill(os.getpid(), 9)
"""
    source = Path(__file__).read_text(encoding="utf-8")
    modules = disk.parent / "modules"
    modules.mkdir()
    (modules / "spool_on_a_full_disk.py").write_text(source, encoding="utf-8")
    search = os.pathsep.join([str(modules), *sys.path])
    ended = subprocess.run(
        [sys.executable, "-c", program, disk],
        env={**os.environ, "PYTHONPATH": search},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == -9, ended.stderr
    spool = open_spool(disk / "spool")
    assert len(drain(spool)) == int(ended.stdout)
    spool.close()


def test_delivery_goes_on_while_the_disk_is_full(disk: Path) -> None:
    """`publish` raises in the caller's thread; when the broker is back, room comes back too."""
    memory = MemoryBroker()
    memory.hang()
    broker = memory.start(spool=str(disk / "spool"), max_bytes=2**40)
    accepted: list[str] = []
    event = {"sender_id": "a", "text": "x" * 3000}
    accept_until(SpoolError, lambda _: accepted.append(broker.publish(event)))
    memory.answer()
    wait_until(lambda: broker.status().pending == 0)
    assert list(dict.fromkeys(memory.ids())) == accepted
    accepted.append(broker.publish({"sender_id": "a"}))
    assert broker.close().delivered == len(accepted)


def test_the_file_is_bounded_in_bytes(tmp_path: Path) -> None:
    """`max_bytes` is kept, and what left makes room."""
    spool = Spool(tmp_path / "spool", "process", None, 1024 * 1024, 2**40, None)
    accepted = accept_until(QueueFull, lambda number: spool.append([an_event(number)], 0))
    assert 1000 < accepted < 3500
    with pytest.raises(QueueFull, match=r"bytes of the spool are used and delivery\.max_bytes is"):
        spool.append([an_event(accepted)], 0)
    assert len(drain(spool)) == accepted
    spool.append([an_event(accepted)], 0)
    spool.close()


def test_the_file_shrinks_after_a_backlog(tmp_path: Path) -> None:
    """A long outage must not take the disk's room for ever."""
    spool = open_spool(tmp_path / "spool")
    file = tmp_path / "spool" / "data" / "events.db"
    large = [Event.from_dict({"n": number, "text": "x" * 10_000}) for number in range(4000)]
    spool.append(large, 0)
    spool.close()
    before = file.stat().st_size
    assert before > 40_000_000
    drain(spool)
    spool.close()
    assert file.stat().st_size < before / 2


def test_a_backlog_is_not_moved_about_while_it_leaves(tmp_path: Path) -> None:
    """That would slow its delivery down; the room goes back once next to nothing is in use."""
    spool = open_spool(tmp_path / "spool")
    file = tmp_path / "spool" / "data" / "events.db"
    spool.append(
        [Event.from_dict({"n": number, "text": "x" * 10_000}) for number in range(4000)], 0
    )
    spool.close()
    before = file.stat().st_size
    assert spool.right.acquire()
    while spool.counts().pending > 1000:
        spool.settle([event.id for event in spool.peek(500, 2**30)])
    spool.close()
    assert file.stat().st_size == before
    while spool.counts().pending > 2:
        spool.settle([event.id for event in spool.peek(499, 2**30)])
    spool.close()
    assert spool.counts().pending
    assert file.stat().st_size < before / 2
    spool.close()


def test_a_program_that_starts_on_a_full_disk_drains(disk: Path) -> None:
    """Also where the last one ended in peace, and left none of the files that SQLite needs."""
    spool = open_spool(disk / "spool")
    accepted = fill(spool)
    spool.close()
    fill_up(disk)
    spool = open_spool(disk / "spool")
    assert ids(drain(spool)) == accepted
    spool.close()


def test_room_is_made_while_other_processes_have_the_spool_open(disk: Path) -> None:
    """What is kept for it is given back to the disk, whoever has it open."""
    spool, other = open_spool(disk / "spool"), open_spool(disk / "spool")
    other.append([an_event(0)], 0)
    accepted = [an_event(0).id, *fill(spool, 1)]
    fill_up(disk)
    assert ids(drain(spool)) == accepted
    spool.close()
    other.close()
