"""Another process that holds the lock and does not go on: nobody waits for it for ever."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from event_brokers import SpoolError
from event_brokers.errors import ConfigurationError
from event_brokers.queues.spool import file, lock_holder
from event_brokers.queues.spool.file_lock import FileLock
from event_brokers.testing import MemoryBroker
from spools import BATCH_BYTES, an_event, drain, ids, open_spool, run_elsewhere
from waiting import wait_until

USUAL_PATIENCE_SECONDS = file.PATIENCE_SECONDS
LOCKS = Path("/proc/locks")
HOLDS_THE_LOCK = """
import os, signal, sys
from pathlib import Path
from event_brokers.queues.spool.file_lock import FileLock
with FileLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
LOCKS_THE_FILE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
PUBLISHES_AND_ENDS = """
import sys
import event_brokers
broker = event_brokers.connect({
    "type": "sql", "db": "events.db", "delivery": {"spool": sys.argv[1], "exit_timeout": 1},
})
print(broker.publish({"n": 1}), flush=True)
sys.stdin.readline()
try:
    broker.publish({"n": 2})
except event_brokers.SpoolError as error:
    print(error, flush=True)
"""

APPENDS_ONCE = """
import sys
from pathlib import Path
from spools import an_event, open_spool
spool = open_spool(Path(sys.argv[1]))
print("opened", flush=True)
sys.stdin.readline()
spool.append([an_event(1)], 0)
spool.close()
"""


@pytest.fixture(autouse=True)
def _less_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up sooner than after the five seconds."""
    monkeypatch.setattr(file, "PATIENCE_SECONDS", 0.3)


@contextmanager
def stopped(program: str, path: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program that holds something, and stop it as a debugger does.

    Parameters:
        program: says "held" when it does.
        path: of the file that it holds.
    """
    with run_elsewhere(program, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.send_signal(signal.SIGSTOP)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGCONT)


def test_who_publishes_is_told_which_process_it_is(tmp_path: Path) -> None:
    """With the ids for a retry; reading works meanwhile, and all goes on with the process."""
    folder = tmp_path / "spool"
    spool = open_spool(folder)
    spool.append([an_event(1)], 0)
    with stopped(HOLDS_THE_LOCK, folder / "commit.lock") as process:
        with pytest.raises(SpoolError) as caught:
            spool.append([an_event(2), an_event(3)], 0)
        expected = f"'{folder}': process {process.pid} holds its lock and does not go on"
        assert str(caught.value) == expected
        assert caught.value.event_ids == ("e000002", "e000003")
        assert spool.counts().pending == 1
        assert ids(spool.peek(10, BATCH_BYTES)) == ["e000001"]
        with pytest.raises(SpoolError, match="holds its lock"):
            spool.settle(["e000001"])
    spool.append([an_event(4)], 20)
    # it was settled, and who appended was told the truth: nothing of that was stored
    assert ids(drain(spool)) == ["e000004"]
    assert (spool.counts().delivered, spool.counts().accepted) == (2, 2)
    spool.close()


def test_a_longer_timeout_is_waited_for(tmp_path: Path) -> None:
    """The process goes on within it: that is no failure."""
    spool = open_spool(tmp_path / "spool")
    with stopped(HOLDS_THE_LOCK, tmp_path / "spool" / "commit.lock") as process:
        appending = threading.Thread(target=spool.append, args=([an_event(1)], 60))
        appending.start()
        appending.join(1)
        assert appending.is_alive()
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=20)
        appending.join(20)
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_who_was_stopped_itself_accuses_nobody(tmp_path: Path) -> None:
    """While it stood still, none of its patience passed: the others had no chance to go on."""
    folder = tmp_path / "spool"
    with run_elsewhere(APPENDS_ONCE, str(folder)) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == "opened\n"
        with FileLock(folder / "commit.lock"):
            program.stdin.write("\n")
            program.stdin.flush()
            wait_until(lambda: f"-> FLOCK  ADVISORY  WRITE {program.pid} " in LOCKS.read_text())
            program.send_signal(signal.SIGSTOP)
            stopped_at = time.monotonic()
            wait_until(lambda: time.monotonic() - stopped_at > USUAL_PATIENCE_SECONDS + 0.5)
            program.send_signal(signal.SIGCONT)
            state = psutil.Process(program.pid).status
            wait_until(lambda: state() == psutil.STATUS_SLEEPING)
        assert program.wait(60) == 0
    spool = open_spool(folder)
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_another_programs_lock_on_the_file_is_named_too(tmp_path: Path) -> None:
    """Somebody looks into it with SQLite's own shell, and has gone for lunch."""
    spool = open_spool(tmp_path / "spool")
    database = tmp_path / "spool" / "data" / "events.db"
    with (
        stopped(LOCKS_THE_FILE, database) as process,
        pytest.raises(SpoolError, match=f"process {process.pid} holds its lock"),
    ):
        spool.append([an_event(1)], 0)
    spool.append([an_event(2)], 20)
    assert drain(spool) == [an_event(2)]
    spool.close()


def test_where_the_system_does_not_tell_it_is_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on macOS."""
    monkeypatch.setattr(lock_holder, "_LOCKS", tmp_path / "none")
    spool = open_spool(tmp_path / "spool")
    with stopped(HOLDS_THE_LOCK, tmp_path / "spool" / "commit.lock"):
        with pytest.raises(SpoolError, match="another process holds its lock and does not go on"):
            spool.append([an_event(1)], 0)
        spool.close()


def test_who_opens_it_is_told_too(tmp_path: Path) -> None:
    """In a sentence that names the option."""
    open_spool(tmp_path / "spool").close()
    with stopped(HOLDS_THE_LOCK, tmp_path / "spool" / "commit.lock") as process:
        with pytest.raises(ConfigurationError) as caught:
            open_spool(tmp_path / "spool")
        assert str(caught.value).startswith("event_broker.delivery.spool: '")
        assert f"process {process.pid} holds its lock" in str(caught.value)


def test_closing_does_not_wait_for_ever(tmp_path: Path) -> None:
    """The files are closed once the process goes on."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    log = tmp_path / "spool" / "data" / "events.db-wal"
    with stopped(HOLDS_THE_LOCK, tmp_path / "spool" / "commit.lock"):
        with pytest.raises(SpoolError):
            spool.append([an_event(2)], 0)
        spool.close()
        assert log.exists()
    wait_until(lambda: not log.exists())
    spool = open_spool(tmp_path / "spool")
    assert drain(spool) == [an_event(1)]
    spool.close()


def test_the_end_of_a_program_is_not_held_up(tmp_path: Path) -> None:
    """It publishes amid the standstill, is told, and ends; what was accepted before waits."""
    folder = tmp_path / "spool"
    with run_elsewhere(PUBLISHES_AND_ENDS, str(folder)) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        first = program.stdout.readline().strip()
        with stopped(HOLDS_THE_LOCK, folder / "commit.lock") as process:
            program.stdin.write("\n")
            program.stdin.flush()
            assert f"process {process.pid} holds its lock" in program.stdout.readline()
            assert program.wait(60) == 0
    spool = open_spool(folder)
    counts = spool.counts()
    assert (counts.accepted, counts.pending + counts.delivered) == (1, 1)
    assert first
    spool.close()


def test_delivery_says_what_it_waits_for_and_sends_nothing_twice(tmp_path: Path) -> None:
    """What the broker has confirmed is taken out when the process goes on."""
    folder = tmp_path / "spool"
    memory = MemoryBroker()
    memory.hang()
    with memory.start(spool=str(folder)) as broker:
        accepted = [broker.publish({"n": number}) for number in range(5)]
        wait_until(lambda: memory.batches)
        with stopped(HOLDS_THE_LOCK, folder / "commit.lock") as process:
            memory.answer()
            words = f"process {process.pid} holds its lock"
            wait_until(lambda: words in str(broker.status().last_error))
            assert broker.status().pending == 5
        status = broker.flush(30)
        assert (status.delivered, status.pending) == (5, 0)
    assert memory.ids() == accepted


def test_a_fork_meanwhile_works_in_parent_and_child(tmp_path: Path) -> None:
    """The parent's thread waits for the lock as it is copied; the child has one of its own."""
    program = """
import os, sys, threading
from pathlib import Path
from event_brokers.queues.spool import Spool, file
from spools import an_event, open_spool
import warnings
warnings.simplefilter("ignore")
spool = open_spool(Path(sys.argv[1]))
spool.append([an_event(1)], 0)
print("opened", flush=True)
sys.stdin.readline()
appending = threading.Thread(target=spool.append, args=([an_event(2)], 60))
appending.start()
while not spool._file._storing._inbox.waiting:
    pass
spool.before_fork()
child = os.fork()
if child == 0:
    spool.after_fork_in_child()
    assert spool.counts().pending == 1
    print("forked", flush=True)
    spool.append([an_event(3)], 60)
    spool.close()
    os._exit(0)
spool.after_fork_in_parent()
appending.join(60)
assert os.waitpid(child, 0)[1] == 0
spool.append([an_event(4)], 0)
spool.close()
"""
    folder = tmp_path / "spool"
    with run_elsewhere(program, str(folder)) as forking:
        assert forking.stdout is not None
        assert forking.stdin is not None
        assert forking.stdout.readline() == "opened\n"
        with stopped(HOLDS_THE_LOCK, folder / "commit.lock"):
            forking.stdin.write("\n")
            forking.stdin.flush()
            assert forking.stdout.readline() == "forked\n"
        assert forking.wait(60) == 0
    spool = open_spool(folder)
    assert sorted(ids(drain(spool))) == [f"e{number:06}" for number in range(1, 5)]
    spool.close()
