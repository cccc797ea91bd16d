"""Good plugins in the other styles: options as a dict, a class, an object, a client of asyncio."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from event_brokers import (
    BrokerUnavailable,
    ConfigurationError,
    Event,
    RejectedEvents,
    Secret,
    hookimpl,
)
from event_brokers.plugin.loop_thread import LoopThread
from event_brokers.plugin.tls import client_context, handshake_problem
from testing.ledger import HOST, Ledger, LedgerOptions, Session

_LEDGER = Ledger()
_SECONDS = 2.0


@hookimpl
def connect(options: dict[str, Any]) -> Session:
    """Sign in, with the section of endpoints.yml as it is."""
    typed = LedgerOptions(**{**options, "password": Secret(options["password"])})
    session: Session = _LEDGER.open(typed)
    return session


@hookimpl
def publish(connection: Session, events: Sequence[Event]) -> None:
    """Store the batch."""
    _LEDGER.send(connection, events)


@hookimpl
def close(connection: Session) -> None:
    """Close the session."""
    connection.end()


class StaticLedger:
    """A class whose hooks want no instance; options come as a dict."""

    connect = staticmethod(connect)
    publish = staticmethod(publish)
    close = staticmethod(close)


an_object = SimpleNamespace(connect=connect, publish=publish, close=close)


class AsyncSession:
    """A connection of a client that is asyncio only, with its loop on a thread of its own."""

    def __init__(self, options: LedgerOptions) -> None:
        self._options = options
        self._loop = LoopThread("ledger")
        try:
            self._loop.run(self._open(), _SECONDS)
        except BaseException:
            self._loop.close()
            raise

    def ask(self, request: dict[str, Any]) -> Any:
        """Return the server's answer."""
        return self._loop.run(self._ask(request), _SECONDS)

    def end(self) -> None:
        """Close the connection and end the loop."""
        try:
            self._loop.run(self._close(), _SECONDS)
        except BrokerUnavailable:
            return  # closed before
        finally:
            self._loop.close()

    async def _open(self) -> None:
        options = self._options
        context = client_context(options) if options.tls else None
        try:
            self._reader, self._writer = await asyncio.open_connection(
                HOST, options.port, ssl=context
            )
        except ssl.SSLError as error:
            problem = handshake_problem(error, f"{HOST}:{options.port}", options)
            raise ConfigurationError(problem or "TLS failed") from error
        try:
            if not (await self._ask({"password": options.password.reveal()}))["ok"]:
                raise ConfigurationError("event_broker.password: is not the server's")
            await self._ask({"do": "make", "place": options.ledger})
        except BaseException:
            self._writer.transport.abort()
            raise

    async def _ask(self, request: dict[str, Any]) -> Any:
        self._writer.write(json.dumps(request).encode() + b"\n")
        await self._writer.drain()
        line = await self._reader.readline()
        if not line:
            raise BrokerUnavailable("the server closed the connection")
        return json.loads(line)

    async def _close(self) -> None:
        self._writer.transport.abort()


class AsyncLedger:
    """An instance of this is a plugin."""

    @hookimpl
    def options(self) -> type[LedgerOptions]:
        """Return the options class."""
        return LedgerOptions

    @hookimpl
    def connect(self, options: LedgerOptions) -> AsyncSession:
        """Sign in."""
        return AsyncSession(options)

    @hookimpl
    def publish(self, connection: AsyncSession, events: Sequence[Event]) -> None:
        """Store the batch."""
        records = [(each.id, base64.b64encode(each.body).decode(), each.headers) for each in events]
        place = connection._options.ledger
        answer = connection.ask({"do": "store", "place": place, "records": records, "once": True})
        if not answer["ok"]:
            raise RejectedEvents(dict.fromkeys(answer["refused"], "the ledger refuses it"))

    @hookimpl
    def close(self, connection: AsyncSession) -> None:
        """Close the connection."""
        connection.end()


an_asyncio_client = AsyncLedger()
