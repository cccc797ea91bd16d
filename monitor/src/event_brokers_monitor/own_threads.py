"""A few threads of the page's own, for what blocks: the application's are not for us to fill."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

_MOST = 4
_Given = ParamSpec("_Given")
_Found = TypeVar("_Found")


class OwnThreads:
    """Threads that are started when they are needed, and end with what needs them."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_MOST, thread_name_prefix="monitor")

    async def do(
        self, act: Callable[_Given, _Found], *given: _Given.args, **named: _Given.kwargs
    ) -> _Found:
        """Do something on one of them, and return what it returns.

        Parameters:
            act: may block.
            given: what it is given.
            named: the same, by name.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, partial(act, *given, **named))
