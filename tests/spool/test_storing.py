"""Storing: callers share commits, and whatever fails there is told and goes on."""

from __future__ import annotations

import ctypes
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from event_brokers import DeadLetter, QueueFull, SpoolError
from event_brokers.errors import EventBrokersError
from event_brokers.event import Event
from event_brokers.queues.spool import Spool, file, tables
from event_brokers.queues.spool.database import Transaction
from event_brokers.queues.spool.file_lock import FileLock
from event_brokers.queues.spool.request import Inbox
from spools import BATCH_BYTES, an_event, drain, ids, open_spool
from waiting import wait_until

INSERT = "event_brokers.queues.spool.tables.insert"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock that another process holds while it stores."""
    lock = FileLock(folder / "commit.lock")
    with lock:
        yield
    lock.close()


def together(spool: Spool, folder: Path, calls: list[Callable[[], object]]) -> list[object]:
    """Make calls on threads of their own, so that all of them wait for one commit.

    Returns:
        what each of them returned or raised.
    """
    ends: list[object] = [None] * len(calls)
    inbox = spool._file._storing._inbox

    def make(number: int) -> None:
        try:
            ends[number] = calls[number]()
        except EventBrokersError as error:
            ends[number] = error

    threads = [threading.Thread(target=make, args=(number,)) for number in range(len(calls))]
    with locked(folder):
        for count, thread in enumerate(threads, 1):
            thread.start()
            wait_until(partial(is_waiting_for, inbox, count))
    for thread in threads:
        thread.join(20)
    return ends


def is_waiting_for(inbox: Inbox, count: int) -> bool:
    """Return whether so many requests wait."""
    return inbox._arrived.qsize() + len(inbox.waiting) == count


def appending(spool: Spool, numbers: Iterable[int]) -> list[Callable[[], object]]:
    """Return a call for each of the numbers."""
    return [partial(spool.append, [an_event(number)], 0) for number in numbers]


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that gets an entry for every transaction."""
    begun: list[str] = []
    enter = Transaction.__enter__

    def counted(transaction: Transaction) -> object:
        begun.append("transaction")
        return enter(transaction)

    monkeypatch.setattr(Transaction, "__enter__", counted)
    return begun


def test_threads_that_append_at_once_share_commits(tmp_path: Path, commits: list[str]) -> None:
    """All that came while one committed are in the next commit."""
    spool = open_spool(tmp_path / "spool")
    commits.clear()

    assert together(spool, tmp_path / "spool", appending(spool, range(8))) == [None] * 8
    assert len(commits) == 1
    assert sorted(ids(drain(spool))) == [f"e{number:06}" for number in range(8)]
    spool.close()


def test_delivery_shares_the_commit_of_those_who_append(tmp_path: Path, commits: list[str]) -> None:
    """In the order in which they came; each is told what became of its own."""
    spool = Spool(tmp_path / "spool", "process", 3, 2**40, 2**40, None)
    spool.append([an_event(1), an_event(2)], 0)
    commits.clear()
    ends = together(
        spool,
        tmp_path / "spool",
        [
            lambda: spool.append([an_event(number) for number in (3, 4)], 0),
            lambda: spool.settle(["e000001"]),
            lambda: spool.append([an_event(5), an_event(6)], 0),
            lambda: spool.bury([DeadLetter(an_event(2), "refused", 1.0)]),
            lambda: spool.append([an_event(7), an_event(8)], 0),
        ],
    )
    assert isinstance(ends[0], QueueFull)
    assert ends[1] == 1
    assert ends[2] is None
    assert ends[3] == [DeadLetter(an_event(2), "refused", 1.0)]
    assert isinstance(ends[4], QueueFull) or ends[4] is None
    assert len(commits) == 1
    assert ids(spool.peek(9, BATCH_BYTES))[:2] == ["e000005", "e000006"]
    spool.close()


def test_a_commit_that_fails_fails_for_all_that_shared_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each caller is told, with the ids of its own events; then all goes on."""
    spool = open_spool(tmp_path / "spool")

    def fail(*_arguments: object) -> int:
        raise SpoolError("the disk is broken")

    with monkeypatch.context() as patched:
        patched.setattr(INSERT, fail)
        ends = together(
            spool,
            tmp_path / "spool",
            appending(spool, (1, 2)),
        )
    for number, end in enumerate(ends, 1):
        assert isinstance(end, SpoolError)
        assert str(end) == "the disk is broken"
        assert end.event_ids == (f"e{number:06}",)
    spool.append([an_event(1)], 0)
    assert ids(drain(spool)) == ["e000001"]
    spool.close()


@pytest.mark.parametrize(
    "error", [MemoryError(), KeyboardInterrupt(), SystemExit(3), ValueError("a bug"), OSError(5)]
)
def test_whatever_is_raised_amid_storing_is_told_to_its_caller_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """It changes nothing, holds no lock, and is nobody else's failure."""
    spool = open_spool(tmp_path / "spool")
    insert = tables.insert

    def fail(connection: object, events: list[Event]) -> int:
        count = insert(connection, events)  # type: ignore[arg-type]
        if events[0].id == "e000002":
            raise error
        return count

    with monkeypatch.context() as patched:
        patched.setattr(INSERT, fail)
        ends = together(
            spool,
            tmp_path / "spool",
            appending(spool, (1, 2, 3)),
        )
    assert isinstance(ends[1], SpoolError)
    assert ends[1].event_ids == ("e000002",)
    assert "a bug" not in str(ends[1])
    others = [end for end in (ends[0], ends[2]) if end is not None]
    assert not isinstance(error, Exception) or others == []
    other = open_spool(tmp_path / "spool")
    other.append([an_event(4)], 0)
    waiting = ids(other.peek(9, BATCH_BYTES))
    assert "e000002" not in waiting
    assert len(waiting) == 4 - 1 - len(others)
    other.close()
    spool.append([an_event(5)], 0)
    spool.close()


def test_a_thread_that_dies_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next call; what waited for it is stored."""
    others = set(threading.enumerate())
    spool = open_spool(tmp_path / "spool")
    died = threading.Event()
    monkeypatch.setattr(threading, "excepthook", lambda _arguments: died.set())
    for worker in (spool._file._storing, spool._file._reading):
        spool.append([an_event(1)], 0)
        spool.counts()
        died.clear()
        name = worker._name
        mine = set(threading.enumerate()) - others
        kill(next(thread for thread in mine if thread.name == name), worker._inbox, monkeypatch)
        assert died.wait(20)
        assert drain(spool) == [an_event(1)]
    spool.close()


def kill(thread: threading.Thread, inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """End a thread in a way that nothing in it foresees."""

    def fail(_error: BaseException) -> None:
        raise SystemError("cannot even fail")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "fail", fail)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemError)
        )
        inbox.ring()
        thread.join(20)
    assert not thread.is_alive()


def test_the_disk_is_given_back_what_a_backlog_took_while_nobody_waits(tmp_path: Path) -> None:
    """In steps, between which others may store; hundreds of pages each."""
    spool = open_spool(tmp_path / "spool")
    large = [Event.from_dict({"n": number, "text": "x" * 10_000}) for number in range(4000)]
    spool.append(large, 0)
    before = spool.size()
    drain(spool)
    wait_until(lambda: spool.size() < before / 2)
    spool.close()


def test_closing_fails_in_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed is safe; the sentence says what it was."""
    caplog.set_level(logging.WARNING)
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    disconnect = spool._file.database.disconnect

    def fail() -> None:
        disconnect()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(spool._file.database, "disconnect", fail)
    spool.close()
    assert "closing its files failed: OSError" in caplog.text
    again = open_spool(tmp_path / "spool")
    assert drain(again) == [an_event(1)]
    again.close()


def test_a_caller_waits_for_what_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However little patience it has left: it is told what became of it."""
    spool = open_spool(tmp_path / "spool")
    monkeypatch.setattr(file, "PATIENCE_SECONDS", 0.05)
    insert, amid, go_on = tables.insert, threading.Event(), threading.Event()

    def slow(connection: sqlite3.Connection, events: list[Event]) -> int:
        amid.set()
        assert go_on.wait(20)
        return insert(connection, events)

    monkeypatch.setattr(INSERT, slow)
    appending = threading.Thread(target=spool.append, args=([an_event(1)], 0))
    appending.start()
    assert amid.wait(20)
    with pytest.raises(SpoolError, match="its disk does not answer") as caught:
        spool.append([an_event(2)], 0)
    assert caught.value.event_ids == ("e000002",)
    assert appending.is_alive()
    go_on.set()
    appending.join(20)
    assert ids(spool.peek(9, BATCH_BYTES)) == ["e000001"]
    spool.close()
