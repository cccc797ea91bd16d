"""A TCP proxy on 127.0.0.1 that stands for a network in trouble."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

_Result = TypeVar("_Result")

HOST = "127.0.0.1"
_READ_BYTES = 65_536
_PIECES_A_SECOND = 20  # of what a slow link carries
_LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)  # makes close() send RST: socket(7), SO_LINGER


class Proxy:
    """Forwards connections to a port of 127.0.0.1, until it is told to do worse.

    Parameters:
        target: the port to forward to.
        port: where to listen; any free port unless given.
    """

    def __init__(self, target: int, port: int = 0) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._links: dict[asyncio.Task[None], _Link] = {}
        self._bytes_per_second: int | None = None
        self._bytes_to_cut: int | None = None
        self._at_cut: Callable[[], None] = self._reset
        self._listener = socket.create_server((HOST, port))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Proxy:
        self._thread.start()
        self.speak()
        return self

    def __exit__(self, *exception: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._listener.close()

    @property
    def connections(self) -> int:
        """How many connections there are, silent ones included."""
        return self._call(lambda: len(self._links))

    def silence(self) -> None:
        """Accept nothing, forward nothing, close nothing: what is connected now stays silent."""
        self._call(self._silence)

    def speak(self) -> None:
        """Accept and forward again; connections that fell silent stay so, as after a lost NAT."""
        self._call(self._listen)

    def reset(self) -> None:
        """End every connection with RST, on both sides."""
        self._call(self._reset)

    def limit(self, bytes_per_second: int | None) -> None:
        """Carry so many bytes a second in each direction of each connection; None: all there is."""
        self._call(lambda: setattr(self, "_bytes_per_second", bytes_per_second))

    def cut_after(self, count: int) -> None:
        """Reset every connection as soon as so many more bytes have come from clients, once."""
        self._call(lambda: self._plan(count, self._reset))

    def silence_after(self, count: int) -> None:
        """Fall silent as soon as so many more bytes have come from clients."""
        self._call(lambda: self._plan(count, self._silence))

    @property
    def has_cut(self) -> bool:
        """Whether what `cut_after` asked for has happened."""
        return self._call(lambda: self._bytes_to_cut is None)

    def _call(self, function: Callable[[], _Result]) -> _Result:
        """Return what a function returns on the proxy's own thread."""
        called: Future[_Result] = Future()
        self._loop.call_soon_threadsafe(lambda: called.set_result(function()))
        return called.result(10)

    # what follows runs on the proxy's own thread

    def _plan(self, count: int, act: Callable[[], None]) -> None:
        self._bytes_to_cut, self._at_cut = count, act

    def _listen(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _silence(self) -> None:
        self._loop.remove_reader(self._listener)
        for link in self._links.values():
            link.is_silent = True

    def _reset(self) -> None:
        for task in self._links:
            task.cancel()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            client, _ = self._listener.accept()
            link = _Link(self._loop, client)
            task = self._loop.create_task(self._serve(link))
            self._links[task] = link
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        # a task that was cancelled before its first step has closed nothing
        self._links.pop(task).close()

    async def _serve(self, link: _Link) -> None:
        ways: list[asyncio.Task[None]] = []
        try:
            await link.connect(self._target)
            ways += [
                self._loop.create_task(self._carry(link, link.client, link.server, self._count)),
                self._loop.create_task(self._carry(link, link.server, link.client, _ignore)),
            ]
            await asyncio.gather(*ways)
        except (OSError, asyncio.CancelledError):
            link.close_with_reset = True
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            link.close()

    async def _carry(
        self,
        link: _Link,
        source: socket.socket,
        sink: socket.socket,
        count: Callable[[bytes], None],
    ) -> None:
        while data := await self._loop.sock_recv(source, _READ_BYTES):
            while data:
                if link.is_silent:
                    await asyncio.Event().wait()
                pace = self._bytes_per_second
                size = len(data) if pace is None else max(1, pace // _PIECES_A_SECOND)
                piece, data = data[:size], data[size:]
                await self._loop.sock_sendall(sink, piece)
                count(piece)
                if pace is not None:
                    await asyncio.sleep(len(piece) / pace)
        if not link.is_silent:
            sink.shutdown(socket.SHUT_WR)

    def _count(self, data: bytes) -> None:
        if self._bytes_to_cut is None:
            return
        self._bytes_to_cut -= len(data)
        if self._bytes_to_cut <= 0:
            self._bytes_to_cut = None
            self._at_cut()

    async def _end(self) -> None:
        self._loop.remove_reader(self._listener)
        tasks = list(self._links)
        self._reset()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Link:
    """A client's connection and the one to the server that belongs to it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, client: socket.socket) -> None:
        self.client = client
        self.server = socket.socket()
        self.is_silent = False
        self.close_with_reset = False
        self._loop = loop
        for end in (self.client, self.server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def connect(self, port: int) -> None:
        await self._loop.sock_connect(self.server, (HOST, port))

    def close(self) -> None:
        for end in (self.client, self.server):
            if self.close_with_reset and end.fileno() >= 0:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT_AT_ALL)
            end.close()


def _ignore(_data: bytes) -> None:
    """Count nothing."""
