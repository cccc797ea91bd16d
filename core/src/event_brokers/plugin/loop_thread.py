"""An asyncio loop on a thread of its own, for clients that are asyncio only."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import selectors
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from event_brokers.errors import BrokerUnavailable
from event_brokers.fork import watch as watch_fork

CANCEL_SECONDS = 2.0
CLOSE_SECONDS = 5.0

_Result = TypeVar("_Result")

# both keep what they watch in this process alone; epoll shares it with a forked child, which could
# then take the parent's sockets out
_Selector = getattr(selectors, "PollSelector", selectors.SelectSelector)


class LoopThread:
    """Runs coroutines from any thread, each with a deadline, until it is closed.

    A child that was forked off has none of it: there `run` raises BrokerUnavailable, and a new
    LoopThread can be made. The parent's goes on.

    Parameters:
        name: of the thread.
    """

    def __init__(self, name: str = "event-brokers-loop") -> None:
        self._process = os.getpid()
        selector = _Selector()
        self._loop = asyncio.SelectorEventLoop(selector)
        self._submitting = threading.RLock()  # a signal handler may come back in
        self._is_closed = False
        self._waiting: set[_Waiter] = set()
        self._sockets = _Sockets(selector)
        watch_fork(self._sockets)
        self._thread = threading.Thread(target=_run, args=(self._loop,), name=name, daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, _Result], timeout: float) -> _Result:
        """Return what the coroutine returns, or raise what it raises.

        Parameters:
            coroutine: runs on the loop's thread.
            timeout: seconds after which it is cancelled.

        Raises:
            TimeoutError: it was not done in time.
            BrokerUnavailable: the loop is closed, was closed meanwhile, or is another process's; or
                somebody has called `give_up`.
        """
        waiter = _Waiter()
        self._waiting.add(waiter)  # before anything runs: it may give up at once
        try:
            future = self._submit(coroutine)
            waiter.wait_for(future)
            return self._result(future, timeout)
        finally:
            self._waiting.discard(waiter)

    def give_up(self) -> None:
        """Cancel what is waited for now; a client calls it when its connection is lost.

        Else whoever waits for an answer of the server would wait until the timeout.
        """
        for waiter in list(self._waiting):
            waiter.give_up()

    def close(self) -> None:
        """Cancel what still runs, and end the loop and its thread.

        Raises:
            BrokerUnavailable: the thread did not end within CLOSE_SECONDS.
        """
        if os.getpid() != self._process:
            return
        with self._submitting:
            is_first, self._is_closed = not self._is_closed, True
        if is_first:
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(CLOSE_SECONDS)
        if self._thread.is_alive():
            raise BrokerUnavailable(f"the thread '{self._thread.name}' did not end in time")

    def close_after(self, last: Coroutine[Any, Any, object], timeout: float) -> None:
        """Run what closes the client, and close the loop whatever comes of it; again, do nothing.

        Parameters:
            last: such as `client.close()`; what it raises is not told, for the client is let go of.
            timeout: seconds after which it is cancelled.

        Raises:
            BrokerUnavailable: as `close` does.
        """
        with suppress(Exception):
            self.run(last, timeout)
        self.close()

    def _result(self, future: concurrent.futures.Future[_Result], timeout: float) -> _Result:
        try:
            return future.result(timeout)
        except concurrent.futures.CancelledError as error:
            raise BrokerUnavailable("the connection was closed meanwhile") from error
        except concurrent.futures.TimeoutError as error:
            if future.done():
                return future.result()  # the timeout is the coroutine's own, or it was just done
            raise TimeoutError(f"no answer within {timeout:g} s") from error
        finally:
            if self._thread.is_alive():
                future.cancel()  # whatever made us leave, nobody waits for it any more

    def _submit(
        self, coroutine: Coroutine[Any, Any, _Result]
    ) -> concurrent.futures.Future[_Result]:
        problem = self._why_not()
        if problem is None:
            with self._submitting:
                if not self._is_closed:
                    return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        coroutine.close()
        raise BrokerUnavailable(problem or "the connection is closed")

    def _why_not(self) -> str | None:
        if os.getpid() != self._process:
            return "the connection belongs to the process that was forked"
        if threading.current_thread() is self._thread:
            return "the loop's own thread cannot wait for the loop"
        return None


class _Waiter:
    """One who waits, or is about to: giving up reaches the answer whichever of them comes first."""

    def __init__(self) -> None:
        self._future: concurrent.futures.Future[Any] | None = None
        self._has_given_up = False

    def wait_for(self, future: concurrent.futures.Future[Any]) -> None:
        """Take what is waited for; it is cancelled if that was given up already."""
        self._future = future
        if self._has_given_up:
            future.cancel()

    def give_up(self) -> None:
        """Cancel what is waited for, or will be."""
        self._has_given_up = True
        if self._future is not None:
            self._future.cancel()


class _Sockets:
    """What the loop watches: in a forked child it belongs to the parent, and is let go of."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector

    def before_fork(self) -> None:
        """Do nothing: the loop goes on in the parent."""

    def after_fork_in_parent(self) -> None:
        """Do nothing, as before."""

    def after_fork_in_child(self) -> None:
        """Let the copied sockets lead nowhere.

        So the server sees it when the parent closes one, and nothing that is tidied up here can
        be sent to it. Closed they are not: their numbers would be given to other files.
        """
        watched = [key.fd for key in (self._selector.get_map() or {}).values()]
        with suppress(OSError):  # no file can be opened any more: they stay open, and unused
            nowhere = os.open(os.devnull, os.O_RDWR)
            for number in watched:
                os.dup2(nowhere, number, inheritable=False)
            os.close(nowhere)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_end_tasks())
    finally:
        loop.close()


async def _end_tasks() -> None:
    """Cancel every task, and then end what else the loop has; a task that hangs is left behind."""
    loop = asyncio.get_running_loop()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks, timeout=CANCEL_SECONDS)
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(loop.shutdown_asyncgens(), CANCEL_SECONDS)
    await loop.shutdown_default_executor()
