"""Awaits what blocks, on a thread of ours: the application's executor is not for us to fill."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

_Result = TypeVar("_Result")


async def await_call(call: Callable[[Callable[[], bool]], _Result]) -> _Result:
    """Run a call on a daemon thread of its own, and return what it returns.

    Parameters:
        call: is given a function that tells whether nobody waits for it any more.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()
    cancelled: list[bool] = []

    def settle(outcome: Callable[[], None]) -> None:
        if not future.done():
            outcome()

    def run() -> None:
        try:
            outcome = partial(future.set_result, call(lambda: bool(cancelled)))
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            outcome = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop was closed: nobody waits
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="event-brokers-await", daemon=True).start()
    try:
        return await future
    finally:
        cancelled.append(True)
