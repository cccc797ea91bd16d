"""The asyncio loop on a thread of its own: deadlines, its end, forks."""

from __future__ import annotations

import asyncio
import inspect
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from event_brokers import BrokerUnavailable
from event_brokers.plugin import loop_thread
from event_brokers.plugin.loop_thread import LoopThread
from waiting import wait_until


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    """Return a loop on a thread that has ended when the test is over."""
    before = set(threading.enumerate())
    thread = LoopThread("test-loop")
    yield thread
    thread.close()
    assert set(threading.enumerate()) <= before


async def _echo(value: str) -> str:
    await asyncio.sleep(0)
    return value


def test_it_returns_and_raises_what_the_coroutine_does(loop: LoopThread) -> None:
    """From whatever thread, one loop for all."""

    async def fail() -> None:
        raise KeyError("mine")

    async def running() -> int:
        return id(asyncio.get_running_loop())

    assert loop.run(_echo("hi"), 10) == "hi"
    with pytest.raises(KeyError, match="mine"):
        loop.run(fail(), 10)
    assert loop.run(running(), 10) == loop.run(running(), 10)


def test_what_hangs_is_cancelled(loop: LoopThread) -> None:
    """The caller waits as long as it said, and the coroutine does not go on behind its back."""
    cancelled = threading.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(TimeoutError, match=r"no answer within 0\.05 s"):
        loop.run(hang(), 0.05)
    wait_until(cancelled.is_set)
    assert loop.run(_echo("next"), 10) == "next"


def test_a_timeout_of_the_coroutine_is_its_own(loop: LoopThread) -> None:
    """It is not taken for the deadline of the caller."""

    async def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        loop.run(fail(), 10)


def test_whoever_waits_when_it_is_closed_hears_of_it() -> None:
    """The delivery that waits for an answer does not wait for its deadline."""
    thread = LoopThread()
    waiting = threading.Event()
    outcome: list[BaseException] = []

    async def hang() -> None:
        waiting.set()
        await asyncio.Event().wait()

    def wait() -> None:
        try:
            thread.run(hang(), 60)
        except BrokerUnavailable as error:
            outcome.append(error)

    waiter = threading.Thread(target=wait)
    waiter.start()
    wait_until(waiting.is_set)
    thread.close()
    waiter.join(10)
    assert [str(error) for error in outcome] == ["the connection was closed meanwhile"]


def test_who_waits_for_a_lost_connection_hears_of_it_at_once(loop: LoopThread) -> None:
    """Not when the time is over; the loop goes on, and so does what is asked for later."""
    cancelled = threading.Event()

    async def wait_for_an_answer() -> None:
        asyncio.get_running_loop().call_soon(loop.give_up)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(BrokerUnavailable, match="closed meanwhile"):
        loop.run(wait_for_an_answer(), 300)
    assert cancelled.wait(10)
    loop.give_up()
    assert loop.run(_echo("hi"), 10) == "hi"


def test_who_is_about_to_wait_hears_of_a_lost_connection_as_well(
    loop: LoopThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be lost in the instant between asking and waiting."""
    submit = asyncio.run_coroutine_threadsafe

    def lose_at_once(coroutine: Any, running: Any) -> Any:
        future = submit(coroutine, running)
        loop.give_up()
        return future

    monkeypatch.setattr(asyncio, "run_coroutine_threadsafe", lose_at_once)
    with pytest.raises(BrokerUnavailable, match="closed meanwhile"):
        loop.run(asyncio.sleep(300), 5)


def test_once_it_is_closed_nothing_runs() -> None:
    """A coroutine that comes too late is closed, not left behind with a warning."""
    thread = LoopThread()
    thread.close()
    thread.close()
    late = _echo("late")
    with pytest.raises(BrokerUnavailable, match="the connection is closed"):
        thread.run(late, 10)
    assert inspect.getcoroutinestate(late) == inspect.CORO_CLOSED


def test_closing_waits_for_what_tidies_up_and_leaves_no_thread() -> None:
    """Background tasks may say goodbye; threads for lookups of names end as well."""
    before = set(threading.enumerate())
    said: list[str] = []

    async def background(started: asyncio.Event) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            said.append("goodbye")

    async def start() -> asyncio.Task[None]:
        await asyncio.get_running_loop().getaddrinfo("localhost", 1)
        started = asyncio.Event()
        task = asyncio.create_task(background(started))
        await started.wait()
        return task

    thread = LoopThread()
    thread.run(start(), 10)
    assert len(set(threading.enumerate()) - before) == 2
    thread.close()
    assert said == ["goodbye"]
    assert set(threading.enumerate()) <= before


def test_closing_is_bounded_where_something_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A task that does not let itself be cancelled holds up nobody for ever."""
    monkeypatch.setattr(loop_thread, "CANCEL_SECONDS", 0.05)
    release = threading.Event()
    ended = threading.Event()

    async def stubborn() -> None:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        ended.set()

    async def start() -> asyncio.Task[None]:
        return asyncio.create_task(stubborn())

    thread = LoopThread()
    thread.run(start(), 10)
    thread.close()
    assert not ended.is_set()


def test_closing_says_so_where_the_thread_itself_is_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback that blocks the loop cannot be cancelled; the caller is told and goes on."""
    monkeypatch.setattr(loop_thread, "CLOSE_SECONDS", 0.05)
    release = threading.Event()

    async def block() -> None:
        release.wait(60)  # what no coroutine should do

    thread = LoopThread("stuck-loop")
    with pytest.raises(TimeoutError):
        thread.run(block(), 0.05)
    with pytest.raises(BrokerUnavailable, match="the thread 'stuck-loop' did not end in time"):
        thread.close()
    release.set()
    monkeypatch.setattr(loop_thread, "CLOSE_SECONDS", 10)
    thread.close()


def test_the_loops_own_thread_does_not_wait_for_itself(loop: LoopThread) -> None:
    """It would wait for ever."""

    async def call() -> None:
        loop.run(_echo("never"), 10)

    with pytest.raises(BrokerUnavailable, match="own thread cannot wait"):
        loop.run(call(), 10)


def test_an_exception_of_a_signal_handler_cancels_what_it_interrupts(loop: LoopThread) -> None:
    """Ctrl-C in a call leaves nothing running, and the loop goes on."""
    interrupted, cancelled = threading.Event(), threading.Event()
    waiting = threading.main_thread().ident or 0

    async def hang() -> None:
        try:
            while not interrupted.is_set():
                # one signal can come too early to wake the thread up: just before it waits
                if sys._current_frames()[waiting].f_code is threading.Condition.wait.__code__:
                    signal.pthread_kill(waiting, signal.SIGUSR1)
                await asyncio.sleep(0.01)
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    def interrupt(_number: int, _frame: object) -> None:
        if not interrupted.is_set():
            interrupted.set()
            raise InterruptedError("by hand")

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with pytest.raises(InterruptedError, match="by hand"):
            loop.run(hang(), 60)
        wait_until(cancelled.is_set)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert loop.run(_echo("next"), 10) == "next"


async def _open(address: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*address)


async def _say(writer: asyncio.StreamWriter, word: bytes) -> None:
    writer.write(word)
    await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await writer.wait_closed()


def test_it_survives_a_fork(loop: LoopThread) -> None:
    """The child can have a new one and can do no harm to the parent's, which goes on.

    The server sees the parent's connection end while the child still lives: it holds no copy.
    """
    with socket.create_server(("127.0.0.1", 0)) as server:
        _, writer = loop.run(_open(server.getsockname()), 10)
        accepted, _ = server.accept()
    to_child, to_parent = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _live_in_child(loop, to_child, to_parent)
    try:
        assert os.read(to_parent[0], 100) == b"ok"
        with accepted:
            accepted.settimeout(10)
            loop.run(_say(writer, b"still here"), 10)
            assert accepted.recv(100) == b"still here"
            loop.run(_close(writer), 10)
            assert accepted.recv(100) == b""
    finally:
        os.write(to_child[1], b"end")
        _, status = os.waitpid(child, 0)
        for number in (*to_child, *to_parent):
            os.close(number)
    assert os.waitstatus_to_exitcode(status) == 0


def _live_in_child(loop: LoopThread, to_child: tuple[int, int], to_parent: tuple[int, int]) -> None:
    """Use a new loop, show that the old one is gone, and live on until the parent says so."""
    code = 1
    try:
        try:
            loop.run(_echo("never"), 10)
        except BrokerUnavailable as error:
            assert "the process that was forked" in str(error)  # noqa: PT017 - no pytest here
            loop.close()
            new = LoopThread()
            assert new.run(_echo("new"), 10) == "new"
            new.close()
            os.write(to_parent[1], b"ok")
            os.read(to_child[0], 100)
            code = 0
    finally:
        os._exit(code)
