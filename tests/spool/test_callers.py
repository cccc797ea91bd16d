"""The calling thread is somebody else's: whatever strikes it, nobody else is held up."""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from event_brokers import BrokerClosed, QueueFull
from event_brokers.queues.spool import Spool, worker
from interruptions import Struck, count_lines, struck_at
from spools import BATCH_BYTES, an_event, drain, ids, open_spool
from waiting import wait_until

Call = Callable[[Spool], object]


def leave_and_come_back(spool: Spool) -> None:
    """Do what is done before and after a fork."""
    spool.before_fork()
    spool.after_fork_in_parent()


CALLS: dict[str, Call] = {
    "append": lambda spool: spool.append([an_event(1)], 0),
    "append many": lambda spool: spool.append([an_event(number) for number in (1, 2)], 0),
    "append with a timeout": lambda spool: spool.append([an_event(1)], 0.001),
    "counts": lambda spool: spool.counts(),
    "dead_letters": lambda spool: spool.dead_letters(),
    "wait_until_left": lambda spool: spool.wait_until_left(0),
    "seal": lambda spool: spool.seal(),
    "close": lambda spool: spool.close(),
    "fork": leave_and_come_back,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less for a fork that was interrupted."""
    monkeypatch.setattr(worker, "_LONGEST_PAUSE_SECONDS", 0.1)


def works_for_others(spool: Spool, other: Spool) -> None:
    """Fail where another thread cannot use the spool now, or another spool in its folder."""
    done: list[str] = []

    def use() -> None:
        spool.counts()
        try:
            spool.append([an_event(7)], 0)
        except BrokerClosed:
            done.append("sealed")
        else:
            done.append("appended")
        spool.peek(100, BATCH_BYTES)

    thread = threading.Thread(target=use, daemon=True)
    thread.start()
    thread.join(30)
    assert done
    other.append([an_event(8)], 0)
    waiting = ids(other.peek(100, BATCH_BYTES))
    assert an_event(8).id in waiting
    assert done == ["sealed"] or an_event(7).id in waiting
    counts = other.counts()
    assert counts.pending == len(waiting)
    assert counts.accepted == counts.pending + counts.delivered
    drain(other)


@pytest.mark.parametrize("name", CALLS)
def test_an_exception_at_any_line_leaves_nothing_behind(tmp_path: Path, name: str) -> None:
    """Such as Ctrl-C, or a time limit that a signal handler raises."""
    call = CALLS[name]
    folder = tmp_path / "spool"
    spool, other = open_spool(folder), open_spool(folder)
    for line in range(1, lines_of(tmp_path, call) + 1):
        try:
            with struck_at(line, _raise):
                call(spool)
        except (Struck, BrokerClosed):
            pass
        works_for_others(spool, other)
    spool.close()
    other.close()


def _raise() -> None:
    raise Struck


@pytest.mark.parametrize("name", CALLS)
def test_any_call_at_any_line_of_any_other_returns(tmp_path: Path, name: str) -> None:
    """As in a signal handler, a destructor or a weakref's callback."""
    call = CALLS[name]
    folder = tmp_path / "spool"
    others = [CALLS[other] for other in ("append", "counts", "wait_until_left", "seal", "close")]
    looking = open_spool(folder)
    for line in range(1, lines_of(tmp_path, call) + 1):
        spool = open_spool(folder)

        def call_all(spool: Spool = spool) -> None:
            for other in others:
                other(spool)

        try:
            with struck_at(line, call_all):
                call(spool)
        except BrokerClosed:
            pass  # sealed meanwhile
        works_for_others(spool, looking)
        spool.close()
    looking.close()


def lines_of(tmp_path: Path, call: Call) -> int:
    """Return how many lines a call runs through on its thread."""
    spool = open_spool(tmp_path / "counted")
    lines = count_lines(lambda: call(spool))
    spool.close()
    return lines


def test_what_was_interrupted_is_stored_all_the_same(tmp_path: Path) -> None:
    """Nobody was told that it was not: it is unknown, not absent."""
    spool = open_spool(tmp_path / "spool")
    request_is_made = count_lines(lambda: CALLS["append"](spool)) - 2
    drain(spool)
    with pytest.raises(Struck), struck_at(request_is_made, _raise):
        spool.append([an_event(1)], 0)
    wait_until(lambda: ids(spool.peek(1, BATCH_BYTES)) == [an_event(1).id])
    spool.close()


class Dying:
    """Calls something as it is destroyed."""

    def __init__(self, last_words: Callable[[], object]) -> None:
        self.last_words = last_words
        self.itself = self  # only the collector finds it

    def __del__(self) -> None:
        self.last_words()


def test_calls_on_the_spools_own_threads_wait_for_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A destructor that the collector runs there would wait for its own thread."""
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    threads: list[str] = []
    said: list[object] = []

    def use() -> None:
        threads.append(threading.current_thread().name)
        number = 10 + len(threads)
        spool.append([an_event(number)], 0)
        said.extend([spool.counts().pending, len(spool.dead_letters()), spool.wait_until_left(5)])

    for place in (
        "event_brokers.queues.spool.tables.insert",
        "event_brokers.queues.spool.tables.totals",
    ):
        with monkeypatch.context() as patched:
            collect_in(patched, place, use)
            spool.append([an_event(2)], 0)
            spool.counts()
    assert set(threads) == {"event-brokers-spool", "event-brokers-spool-look"}
    assert len(said) == 3 * len(threads)
    wait_until(lambda: spool.counts().pending == 2 + len(threads))
    spool.close()


def test_calls_on_the_threads_that_start_these_wait_for_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they wait for would wait for the thread that they were about to start."""
    other = open_spool(tmp_path / "other")
    start = threading.Thread.start
    must_not_wait: dict[str, bool] = {}

    def collecting(thread: threading.Thread) -> None:
        if thread.name.startswith("event-brokers-spool"):
            must_not_wait[thread.name] = other.is_on_own_thread()
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", collecting)
    spool = open_spool(tmp_path / "spool")
    spool.append([an_event(1)], 0)
    assert spool.counts().pending == 1
    assert must_not_wait == {"event-brokers-spool": True, "event-brokers-spool-look": True}
    spool.close()
    other.close()


def collect_in(patched: pytest.MonkeyPatch, place: str, last_words: Callable[[], object]) -> None:
    """Let the collector find something dying, once, where a function is called."""
    module, name = place.rsplit(".", 1)
    function = getattr(__import__(module, fromlist=[name]), name)
    gc.disable()
    dying = [Dying(last_words)]

    def collecting(*arguments: object) -> object:
        if dying:
            dying.clear()
            gc.collect()
            gc.enable()
        return function(*arguments)

    patched.setattr(place, collecting)


def test_a_spool_that_is_closed_on_its_own_thread_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the callback of a weakref, amid a commit; what was being stored is."""
    spool = open_spool(tmp_path / "spool")
    with monkeypatch.context() as patched:
        collect_in(patched, "event_brokers.queues.spool.tables.insert", spool.close)
        spool.append([an_event(1)], 0)
    wait_until(lambda: not (tmp_path / "spool" / "data" / "events.db-wal").exists())
    again = open_spool(tmp_path / "spool")
    assert drain(again) == [an_event(1)]
    again.close()


def test_a_weakrefs_callback_may_publish(tmp_path: Path) -> None:
    """Wherever it strikes."""
    spool = open_spool(tmp_path / "spool")

    class Watched:
        """Something to watch."""

    watched = [Watched()]
    reference = weakref.ref(watched[0], lambda _gone: spool.append([an_event(1)], 0))
    watched.clear()
    assert reference() is None
    assert drain(spool) == [an_event(1)]
    spool.close()


class Publishing(logging.Handler):
    """Publishes each record that is logged."""

    def __init__(self, spool: Spool) -> None:
        super().__init__()
        self.spool = spool
        self.number = 100

    def emit(self, record: logging.LogRecord) -> None:  # noqa: ARG002 - its text is no matter
        """Publish."""
        self.number += 1
        self.spool.append([an_event(self.number)], 0)


def test_a_logging_handler_that_publishes_holds_nobody_up(tmp_path: Path) -> None:
    """The thread that stores logs that the file was removed: the handler runs there."""
    spool = open_spool(tmp_path / "spool")
    handler = Publishing(spool)
    logging.getLogger("event_brokers").addHandler(handler)
    try:
        for file in (tmp_path / "spool" / "data").iterdir():
            file.unlink()
        spool.append([an_event(1)], 0)
    finally:
        logging.getLogger("event_brokers").removeHandler(handler)
    wait_until(lambda: sorted(ids(spool.peek(10, BATCH_BYTES))) == ["e000001", "e000101"])
    spool.close()


def test_a_caller_that_waits_for_room_goes_on_when_it_is_sealed(tmp_path: Path) -> None:
    """Or when there is some."""
    spool = Spool(tmp_path / "spool", "process", 1, 2**40, 2**40, None)
    spool.append([an_event(1)], 0)
    ends: list[object] = []

    def append(number: int) -> None:
        try:
            spool.append([an_event(number)], 60)
        except BrokerClosed as closed:
            ends.append(closed)
        else:
            ends.append(number)

    first = threading.Thread(target=append, args=(2,))
    first.start()
    wait_until(lambda: spool._left._gates)
    spool.settle([an_event(1).id])
    first.join(20)
    assert ends == [2]
    with pytest.raises(QueueFull):
        spool.append([an_event(3)], 0)
    second = threading.Thread(target=append, args=(3,))
    second.start()
    wait_until(lambda: spool._left._gates)
    spool.seal()
    second.join(20)
    assert isinstance(ends[1], BrokerClosed)
    spool.close()
