"""What another process stores is heard of at once, and found a little later where nothing tells."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from event_brokers.queues.spool import Spool, queue
from event_brokers.queues.spool.arrival_signal import ArrivalSignal
from spools import BATCH_BYTES, an_event, ids, open_spool, run_elsewhere
from waiting import next_line, wait_until

STORES = """
import sys
from pathlib import Path
from spools import an_event, open_spool
spool = open_spool(Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    spool.append([an_event(int(line))], 0)
    print("stored", flush=True)
spool.close()
"""
PATIENCE_SECONDS = 30.0


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Return a spool whose holder never looks by itself."""
    monkeypatch.setattr(queue, "POLL_SECONDS", 10 * PATIENCE_SECONDS)
    opened = open_spool(tmp_path / "spool")
    assert opened.right.acquire()
    yield opened
    opened.right.release()
    opened.close()


def take(spool: Spool) -> list[str]:
    """Wait for an event, and take all that is there."""
    assert spool.wait_for_event(PATIENCE_SECONDS)
    found = spool.peek(100, BATCH_BYTES)
    spool.settle(ids(found))
    return ids(found)


OTHERS: set[threading.Thread] = set()


@pytest.fixture(autouse=True)
def _others() -> None:
    """Leave alone what another test has left open."""
    OTHERS.clear()
    OTHERS.update(threading.enumerate())


def threads() -> list[str]:
    """Return the names of the threads that listen, of this test."""
    own = set(threading.enumerate()) - OTHERS
    return [thread.name for thread in own if "arrivals" in thread.name]


def open_files() -> list[Path]:
    """Return the links to the files that the process has open."""
    return list(Path("/proc/self/fd").iterdir())


def test_events_of_another_process_are_heard_of(spool: Spool, tmp_path: Path) -> None:
    """Each of them, though nobody looks."""
    with run_elsewhere(STORES, str(tmp_path / "spool")) as process:
        assert process.stdin
        assert next_line(process) == "ready"
        for number in range(5):
            process.stdin.write(f"{number}\n")
            process.stdin.flush()
            assert take(spool) == [an_event(number).id]
            assert next_line(process) == "stored"


def test_a_spool_that_was_removed_and_made_anew_is_heard_of(spool: Spool, tmp_path: Path) -> None:
    """Both ends follow to the new pipe."""
    other = open_spool(tmp_path / "spool")
    other.append([an_event(1)], 0)
    assert take(spool) == [an_event(1).id]
    (tmp_path / "spool").rename(tmp_path / "moved")
    for path in sorted((tmp_path / "moved").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    other.append([an_event(2)], 0)
    assert take(spool) == [an_event(2).id]
    other.append([an_event(3)], 0)
    assert take(spool) == [an_event(3).id]
    other.close()


def test_storing_never_waits_for_who_listens(tmp_path: Path) -> None:
    """However little it reads: the pipe is full, and the events are safe all the same."""
    pipe = tmp_path / "arrivals"
    os.mkfifo(pipe, 0o600)
    signal = ArrivalSignal(pipe)
    for _ in range(70_000):
        signal.send()
    heard = threading.Event()
    assert signal.listen(heard.set)
    assert heard.wait(PATIENCE_SECONDS)
    signal.stop_listening()
    signal.stop_sending()


@pytest.mark.parametrize("mode", ["no pipe", "for others to write", "no room"])
def test_where_nothing_can_tell_events_are_found_by_looking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """A file in the pipe's place, rights that others have, or a system without pipes."""
    opened = open_spool(tmp_path / "spool")
    pipe = tmp_path / "spool" / "arrivals"
    if mode == "no pipe":
        pipe.touch(0o600)
    elif mode == "for others to write":
        os.mkfifo(pipe)
        pipe.chmod(0o622)
    else:
        monkeypatch.setattr(os, "mkfifo", refuse)
    before = pipe.stat() if pipe.exists() else None
    assert opened.right.acquire()
    other = open_spool(tmp_path / "spool")
    for number in range(3):
        stores = threading.Timer(0.1, other.append, ([an_event(number)], 0))
        stores.start()
        assert take(opened) == [an_event(number).id]
        stores.join()
    assert not threads()
    if before is not None:
        assert pipe.stat().st_size == before.st_size
    other.close()
    opened.right.release()
    opened.close()


def refuse(path: Path, _mode: int) -> None:
    """Make no pipe."""
    raise PermissionError(1, "Operation not permitted", str(path))


def test_nothing_is_left_when_a_spool_is_closed(tmp_path: Path) -> None:
    """No thread, and no open file, on either side."""
    before = len(open_files())
    opened, other = open_spool(tmp_path / "spool"), open_spool(tmp_path / "spool")
    assert opened.right.acquire()
    for number in range(3):
        other.append([an_event(number)], 0)
        take(opened)
        assert not opened.wait_for_event(0.01)
    other.append([an_event(9)], 0)
    assert threads()
    opened.right.release()
    opened.close()
    other.close()
    assert not threads()
    assert len(open_files()) == before


def test_a_forked_child_takes_no_signal_from_its_parent(spool: Spool, tmp_path: Path) -> None:
    """It has no end of the pipe, and the parent goes on hearing."""
    other = open_spool(tmp_path / "spool")
    other.append([an_event(1)], 0)
    assert take(spool) == [an_event(1).id]
    go_on, let_go = os.pipe()
    for each in (spool, other):
        each.before_fork()
    child = os.fork()
    if child == 0:
        try:
            for each in (spool, other):
                each.after_fork_in_child()
            opened = [path.readlink() for path in open_files() if path.is_symlink()]
            os.close(let_go)
            os.read(go_on, 1)
            os._exit(any(path.name == "arrivals" for path in opened))
        finally:
            os._exit(2)
    for each in (spool, other):
        each.after_fork_in_parent()
    for number in range(2, 6):
        other.append([an_event(number)], 0)
        assert take(spool) == [an_event(number).id]
    os.close(let_go)
    os.close(go_on)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    other.close()


def test_who_has_stopped_listening_can_listen_again(tmp_path: Path) -> None:
    """As a process does that delivers again."""
    signal = ArrivalSignal(tmp_path / "arrivals")
    ended = threading.Event()

    def hear() -> None:
        ended.set()

    assert signal.listen(hear)
    signal.stop_listening()
    wait_until(lambda: not threads())
    assert signal.listen(hear)
    signal.send()
    assert ended.wait(PATIENCE_SECONDS)
    signal.stop_listening()
    signal.stop_sending()


def test_a_shortage_of_descriptors_is_not_made_worse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot listen keeps nothing open, however often it is tried."""

    def refuse_pipe() -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    signal, before = ArrivalSignal(tmp_path / "arrivals"), len(open_files())
    monkeypatch.setattr(os, "pipe", refuse_pipe)
    for _ in range(5):
        assert not signal.listen(lambda: None)
    assert len(open_files()) == before


def test_a_child_that_has_a_copy_of_everything_keeps_no_thread_alive(tmp_path: Path) -> None:
    """As one that was forked past Python: the end of a pipe that it holds is not the last word."""
    signal, before = ArrivalSignal(tmp_path / "arrivals"), len(open_files())
    assert signal.listen(lambda: None)
    copies = [os.dup(int(path.name)) for path in open_files() if path.is_symlink()]
    signal.stop_listening()
    for descriptor in copies:
        os.close(descriptor)
    wait_until(lambda: len(open_files()) == before)


def test_who_hears_may_stop_listening(tmp_path: Path) -> None:
    """As a destructor does that happens to run there."""
    signal, stopped = ArrivalSignal(tmp_path / "arrivals"), threading.Event()

    def stop() -> None:
        signal.stop_listening()
        stopped.set()

    assert signal.listen(stop)
    signal.send()
    assert stopped.wait(PATIENCE_SECONDS)
    signal.stop_sending()
