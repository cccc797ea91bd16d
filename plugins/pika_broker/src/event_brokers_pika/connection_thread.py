"""A connection to RabbitMQ that lives on a thread of its own, which answers heartbeats."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pika
from pika.exceptions import AMQPConnectionError

_CLOSE_SECONDS = 3.0


class ConnectionThread:
    """Opens a connection and keeps it alive, however long other threads are busy.

    Parameters:
        parameters: of the connection.
        on_open: called with the connection when it is open.
        on_lost: called with why the connection ended, or did not open; again when the thread ends.

    Both are called on the thread, and so is all that they ask of pika.
    """

    def __init__(
        self,
        parameters: pika.ConnectionParameters,
        on_open: Callable[[Any], None],
        on_lost: Callable[[BaseException], None],
    ) -> None:
        self._on_lost = on_lost
        self._connection = pika.SelectConnection(
            parameters,
            on_open_callback=on_open,
            on_open_error_callback=self._end,
            on_close_callback=self._end,
        )
        self._thread = threading.Thread(
            target=self._run, name="event-brokers-pika-connection", daemon=True
        )

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def call(self, callback: Callable[[], None]) -> None:
        """Have something done on the thread, behind what was asked for before."""
        self._connection.ioloop.add_callback_threadsafe(callback)

    def close(self) -> None:
        """Close the connection and end its thread, within some seconds."""
        for end in (self._close, self._drop):
            if self._thread.is_alive():
                self.call(end)
                self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._connection.ioloop.close()

    # what follows runs on the thread

    def _run(self) -> None:
        try:
            self._connection.ioloop.start()
        except Exception as error:  # noqa: BLE001 - told to whoever waits for this thread
            self._on_lost(error)
        finally:
            self._on_lost(AMQPConnectionError("the connection has ended"))

    def _end(self, _connection: Any, error: BaseException) -> None:
        self._on_lost(error)
        self._connection.ioloop.stop()

    def _close(self) -> None:
        if not self._connection.is_closing and not self._connection.is_closed:
            self._connection.close()

    def _drop(self) -> None:
        # pika has no public way to end a connection whose server does not answer
        self._connection._terminate_stream(AMQPConnectionError("closed without an answer"))
