"""The thread of a live connection, as other threads see it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pika

from event_brokers_pika.live_connection import ChannelUser, LiveConnection

_CLOSE_SECONDS = 3.0


class ConnectionThread:
    """Opens a connection and keeps it alive, however long the threads that use it are busy.

    Parameters:
        parameters: of the connection.
        user: works with the connection, on its thread.
    """

    def __init__(self, parameters: pika.ConnectionParameters, user: ChannelUser) -> None:
        self._connection = LiveConnection(parameters, user)
        self._thread = threading.Thread(
            target=self._connection.run, name="event-brokers-pika-connection", daemon=True
        )
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether what is asked for is done."""
        return self._thread.is_alive()

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Have something done on the thread, behind what was asked for before."""
        self._connection.call_soon(callback)

    def close(self) -> None:
        """Close the connection and end its thread, within some seconds."""
        for end in (self._connection.close, self._connection.drop):
            if self._thread.is_alive():
                self.call_soon(end)
                self._thread.join(_CLOSE_SECONDS)
