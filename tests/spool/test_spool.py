"""The queue on disk: who may read it, what it refuses, and what it knows again."""

from __future__ import annotations

import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from event_brokers import ConfigurationError, DeadLetter, Event
from event_brokers.queues.spool import Spool
from event_brokers.queues.spool.queue import GATHERING_SECONDS
from event_brokers.testing import MemoryBroker
from spools import BATCH_BYTES, an_event, ids, open_spool
from waiting import wait_until


def waiting(spool: Spool) -> list[str]:
    """Return the ids of what waits."""
    return ids(spool.peek(10_000, BATCH_BYTES))


def test_only_its_owner_may_read_it(tmp_path: Path) -> None:
    """Events are conversations: files 0600 in folders 0700, whatever the umask."""
    folder = tmp_path / "new" / "spool"
    spool = open_spool(folder)
    spool.append([an_event(1)], 0)
    spool.right.acquire()
    made = [folder, *folder.rglob("*")]
    found = {path.name: oct(path.stat().st_mode & 0o777) for path in made}
    assert found == {
        "spool": "0o700",
        "data": "0o700",
        "events.db": "0o600",
        "events.db-wal": "0o600",
        "events.db-shm": "0o600",
        "ballast": "0o600",
        "commit.lock": "0o600",
        "delivery.lock": "0o600",
    }
    spool.right.release()
    spool.close()


@pytest.mark.parametrize("durability", ["power", "process"])
def test_what_was_appended_is_there_when_it_is_opened_again(
    tmp_path: Path, durability: str
) -> None:
    """In order, each as it was, with its dead letters and counts."""
    first = open_spool(tmp_path / "spool", durability)
    first.append([an_event(number) for number in range(10)], 0)
    first.settle(["e000000", "e000001"])
    first.bury([DeadLetter(an_event(2), "refused", 12.5, 7)])
    first.close()
    again = open_spool(tmp_path / "spool", durability)
    assert again.peek(100, BATCH_BYTES) == [an_event(number) for number in range(3, 10)]
    assert again.dead_letters() == [DeadLetter(an_event(2), "refused", 12.5, 7)]
    counts = again.counts()
    assert (counts.accepted, counts.delivered, counts.pending, counts.dead_letters) == (10, 2, 7, 1)
    again.close()


def test_an_id_that_is_known_is_the_same_event(tmp_path: Path) -> None:
    """While it waits, and while it is a dead letter; once delivered it is forgotten."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1), an_event(1), an_event(2)], 0)
    spool.bury([DeadLetter(an_event(1), "refused", 0.0)])
    spool.append([an_event(1), an_event(2)], 0)
    assert waiting(spool) == ["e000002"]
    assert spool.counts().accepted == 2
    spool.settle(["e000002"])
    spool.append([an_event(2)], 0)
    assert waiting(spool) == ["e000002"]
    assert spool.counts().accepted == 3
    spool.close()


def test_a_dead_letter_can_be_sent_again_at_the_end_or_dropped(tmp_path: Path) -> None:
    """Unknown ids are nothing; the counts are exact."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(number) for number in range(4)], 0)
    spool.bury([DeadLetter(an_event(number), "refused", 0.0) for number in (0, 1)])
    assert spool.retry(["e000000", "e000003", "unknown"]) == 1
    assert spool.drop(["e000001", "unknown"]) == 1
    assert waiting(spool) == ["e000002", "e000003", "e000000"]
    counts = spool.counts()
    assert (counts.accepted, counts.pending, counts.dead_letters) == (3, 3, 0)
    spool.close()


def test_a_batch_is_bounded_in_events_and_in_bytes(tmp_path: Path) -> None:
    """A large event still leaves, alone."""
    spool = open_spool(tmp_path / "spool")
    large = Event.from_dict({"text": "x" * 5000}, "large")
    spool.append([large, an_event(1), an_event(2), an_event(3)], 0)
    assert ids(spool.peek(10, 100)) == ["large"]
    assert ids(spool.peek(2, BATCH_BYTES)) == ["large", "e000001"]
    spool.close()


def a_file(folder: Path) -> None:
    """Stand in the way."""
    folder.write_text("no folder", encoding="utf-8")


def a_newer_spool(folder: Path) -> None:
    """Come from the future."""
    open_spool(folder).close()
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        connection.execute("PRAGMA user_version = 99")


def another_programs_database(folder: Path) -> None:
    """Belong to somebody else."""
    (folder / "data").mkdir(parents=True)
    with closing(sqlite3.connect(folder / "data" / "events.db")) as connection:
        connection.execute("CREATE TABLE theirs (precious)")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (a_file, "is a file; name a folder"),
        (a_newer_spool, "was written by a newer event-brokers; upgrade this one"),
        (another_programs_database, "holds a database of another program; name another folder"),
    ],
)
def test_what_is_no_spool_is_refused_when_connecting(
    tmp_path: Path, make: Callable[[Path], None], sentence: str
) -> None:
    """In a sentence that names the option, before anything is accepted, and nothing is changed."""
    make(tmp_path / "spool")
    with pytest.raises(ConfigurationError) as caught:
        MemoryBroker().start(spool=str(tmp_path / "spool"))
    assert str(caught.value).startswith("event_broker.delivery.spool: '")
    assert str(caught.value).endswith(sentence)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """The sentence is the operating system's."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"event_broker.delivery.spool: .*: not a direct"):
        open_spool(tmp_path / "file" / "spool")


def test_another_program_that_locks_the_file_is_waited_for(tmp_path: Path) -> None:
    """Somebody looks into the file with SQLite's own shell: `publish` waits, and succeeds."""
    spool = open_spool(tmp_path / "spool")
    with closing(sqlite3.connect(tmp_path / "spool" / "data" / "events.db")) as shell:
        shell.execute("BEGIN IMMEDIATE")
        appending = threading.Thread(target=spool.append, args=([an_event(1)], 0))
        appending.start()
        appending.join(0.2)
        assert appending.is_alive()
        shell.rollback()
        appending.join(20)
    assert waiting(spool) == ["e000001"]
    spool.close()


def test_a_spool_that_was_removed_is_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever deletes the folder means it; what comes afterwards is kept, and the log says so."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    for file in (tmp_path / "spool" / "data").iterdir():
        file.unlink()
    spool.append([an_event(2)], 0)
    assert waiting(spool) == ["e000002"]
    assert "was removed while it was in use; begun anew" in caplog.text
    spool.close()


def test_flush_waits_for_what_is_there_and_not_for_what_comes_later(tmp_path: Path) -> None:
    """Also where dead letters are sent again or dropped meanwhile."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1), an_event(2)], 0)
    assert not spool.wait_until_left(0)
    flushing = threading.Thread(target=spool.wait_until_left, args=(None,), daemon=True)
    flushing.start()
    wait_until(lambda: spool._left._gates)
    spool.bury([DeadLetter(an_event(1), "refused", 0.0)])
    spool.append([an_event(3)], 0)
    spool.drop(["e000001"])
    spool.settle(["e000002"])
    flushing.join(20)
    assert not flushing.is_alive()
    assert waiting(spool) == ["e000003"]
    spool.close()


def test_a_system_without_file_locks_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows has none of POSIX; events can wait in memory there."""
    monkeypatch.setitem(sys.modules, "event_brokers.queues.spool", None)
    with pytest.raises(ConfigurationError, match=r"delivery\.spool: this system lacks"):
        MemoryBroker().start(spool=str(tmp_path / "spool"))


def test_a_clock_that_jumps_neither_stalls_nor_reorders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting is measured on a clock that nobody sets, and the order is not one of time."""
    jumps = iter(range(10**6))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86_400 * (-1) ** next(jumps))
    memory = MemoryBroker()
    memory.publishes.extend([OSError("reset")] * 3)
    with memory.start(spool=str(tmp_path / "spool")) as broker:
        accepted = [broker.publish({"n": number}) for number in range(50)]
        status = broker.flush(20)
    assert (status.delivered, status.pending) == (50, 0)
    assert memory.ids() == accepted


def test_closing_leaves_what_the_broker_did_not_take(tmp_path: Path) -> None:
    """It is no error: the next program delivers it, first and in order."""
    memory = MemoryBroker()
    memory.hang()
    broker = memory.start(spool=str(tmp_path / "spool"))
    accepted = [broker.publish({"n": number}) for number in range(5)]
    status = broker.close(timeout=0)
    assert (status.state, status.pending) == ("closed", 5)
    assert broker.status() == status
    memory.answer()
    wait_until(lambda: memory.open == 0)
    again = MemoryBroker()
    with again.start(spool=str(tmp_path / "spool")) as broker:
        accepted.append(broker.publish({"n": 5}))
    assert again.ids()[-len(accepted) :] == accepted[-len(again.ids()) :]


def test_a_glance_tells_of_every_change(tmp_path: Path) -> None:
    """It may be wrong in seeing one, but not in seeing none: whoever waits would wait on."""
    spool, other = open_spool(tmp_path / "spool"), open_spool(tmp_path / "spool")
    spool.append([an_event(0)], 0)
    glance = spool._file.glance()
    assert glance.shows_change()
    wait_until(lambda: not glance.shows_change())
    for number in range(1, 200):
        other.append([an_event(number)], 0)
        assert glance.shows_change()
        assert len(waiting(spool)) == number + 1
    wait_until(lambda: not glance.shows_change())
    other.settle(["e000000"])
    assert glance.shows_change()
    spool.close()
    other.close()
    assert glance.shows_change()


def test_what_comes_right_behind_a_batch_leaves_with_what_follows_it(tmp_path: Path) -> None:
    """A commit for each event would be in the way of whoever publishes."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    assert spool.wait_for_event(0)
    begun = time.monotonic()
    spool.settle(waiting(spool))
    spool.append([an_event(2)], 0)
    assert spool.wait_for_event(0)
    assert time.monotonic() - begun >= GATHERING_SECONDS
    spool.close()


def test_a_backlog_does_not_wait_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does what comes when nothing has left for a while."""

    def refuse(seconds: float) -> None:
        raise AssertionError(f"sleeps for {seconds} s")

    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(number) for number in range(3)], 0)
    monkeypatch.setattr(time, "sleep", refuse)
    assert spool.wait_for_event(0)
    spool.settle(ids(spool.peek(2, BATCH_BYTES)))
    assert spool.wait_for_event(0)
    monkeypatch.undo()
    spool.close()
