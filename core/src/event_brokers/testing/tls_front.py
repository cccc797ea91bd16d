"""Speaks TLS before a server that speaks none, with a certificate that a check has chosen."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading

from event_brokers.testing.certificates import HOST, Certificate

_READ_BYTES = 65_536
_END_SECONDS = 10.0


class TlsFront:
    """Takes TLS connections, and forwards what they say in plain text.

    Parameters:
        target: the port of 127.0.0.1 to forward to.
        certificate: to present.
        port: where to listen; any free port where 0.
    """

    def __init__(self, target: int, certificate: Certificate, port: int = 0) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate.certificate, certificate.key)
        self._loop = asyncio.new_event_loop()
        # a handshake that fails is what the checks are about: nobody needs to be told
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name="tls", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        self._wanted_port = port
        self.port = 0

    def __enter__(self) -> TlsFront:
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.port = listening.result(_END_SECONDS)
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(_END_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(
            self._serve, HOST, self._wanted_port, ssl=self._context
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, self._target)
        ways = [
            asyncio.ensure_future(_carry(reader, server_writer)),
            asyncio.ensure_future(_carry(server_reader, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            server_writer.transport.abort()

    async def _end(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        while self._tasks:
            await asyncio.sleep(0)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_READ_BYTES):
        writer.write(data)
        await writer.drain()
