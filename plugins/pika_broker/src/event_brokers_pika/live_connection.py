"""pika's connection: all that happens to it, on the one thread that may touch it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pika
from pika.adapters.select_connection import IOLoop
from pika.exceptions import AMQPConnectionError

from event_brokers_pika.pika_internals import drop


class ChannelUser(Protocol):
    """Whoever works with a live connection; called on its thread."""

    def on_open(self, connection: Any) -> None:
        """Begin: the connection is open."""

    def on_lost(self, error: BaseException) -> None:
        """End: the connection was not opened, or has ended; may be called again."""


class LiveConnection:
    """A connection that answers heartbeats, and does what other threads ask of it.

    `call_soon` is for any thread; everything else is for the thread that is in `run`.

    Parameters:
        parameters: of the connection.
        user: works with it.
    """

    def __init__(self, parameters: pika.ConnectionParameters, user: ChannelUser) -> None:
        self._parameters = parameters
        self._user = user
        self._loop = IOLoop()
        self._connection: Any = None
        self._is_ending = False

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Have something done in `run`, behind what was asked for before."""
        self._loop.add_callback_threadsafe(callback)

    def run(self) -> None:
        """Open the connection, and serve it until `close` or `drop` has ended it."""
        try:
            self._open()
            self._loop.start()
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this connection
            self._user.on_lost(error)
        finally:
            self._loop.close()

    def close(self) -> None:
        """Say goodbye to the server, and end `run` when it has answered."""
        self._is_ending = True
        if self._connection.is_closed:
            self._loop.stop()
        elif not self._connection.is_closing:
            self._connection.close()

    def drop(self) -> None:
        """End `run` without waiting for the server."""
        if not self._connection.is_closed:
            drop(self._connection, AMQPConnectionError("closed without an answer"))

    def _open(self) -> None:
        self._connection = pika.SelectConnection(
            self._parameters,
            on_open_callback=self._user.on_open,
            on_open_error_callback=self._on_ended,
            on_close_callback=self._on_ended,
            custom_ioloop=self._loop,
        )

    def _on_ended(self, _connection: Any, error: BaseException) -> None:
        self._user.on_lost(error)
        if self._is_ending:
            self._loop.stop()
