"""Speaks with the server: the only module that knows its protocol, one JSON object a line.

The hooks are called on plain threads, and no loop runs there: that of the client runs on a thread
of its own, which belongs to the connection and ends with it.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from event_brokers.plugin.loop_thread import LoopThread
from event_brokers.plugin.opening import closed_on_failure
from event_brokers.plugin.server import tls_context

from event_brokers_mybroker.options import TYPE, BrokerOptions

ANSWER_SECONDS = 10.0  # that the server may leave us without an answer
LONGEST_ANSWER = 2**26  # bytes


class Client:
    """One connection.

    Parameters:
        options: where the server is, and how it is spoken to.
    """

    def __init__(self, options: BrokerOptions) -> None:
        self._loop = LoopThread("event-brokers-mybroker")
        with closed_on_failure(self._loop):
            self._reader, self._writer = self._loop.run(_open(options), ANSWER_SECONDS)

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the server's answer; raises OSError or EOFError where there is none."""
        return self._loop.run(self._ask(request), ANSWER_SECONDS)

    def close(self) -> None:
        """Release the connection and the loop's thread; again, it does nothing."""
        self._loop.close_after(self._end(), ANSWER_SECONDS)

    async def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        self._writer.write(json.dumps(request).encode() + b"\n")
        await self._writer.drain()
        answer: dict[str, Any] = json.loads(await self._reader.readuntil(b"\n"))
        return answer

    async def _end(self) -> None:
        # a server that does not answer would hold up a close that waits for it
        self._writer.transport.abort()


async def _open(options: BrokerOptions) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    address, context = options.address, tls_context(options, TYPE)
    return await asyncio.open_connection(
        address.host, address.port, ssl=context, limit=LONGEST_ANSWER
    )
