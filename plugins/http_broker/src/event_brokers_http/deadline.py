"""Ends an exchange that takes too long, also with a server that sends a byte now and then.

The timeout of a socket starts anew with every byte that arrives, and so does urllib3's.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Deadline:
    """Shuts a socket down when the time of an exchange is over; has a thread of its own.

    The thread looks when a deadline may be over at the earliest, so that beginning and ending an
    exchange, which is done for every request, wakes nobody.

    Parameters:
        seconds: that an exchange may take.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._until: float | None = None
        self._socket: socket.socket | None = None
        self._has_struck = False
        self._closed = threading.Event()
        self._thread = threading.Thread(
            target=self._watch, name="event-brokers-http-deadline", daemon=True
        )
        self._thread.start()

    @contextmanager
    def over(self, connected: socket.socket) -> Iterator[None]:
        """Let the block fail with TimeoutError where it takes longer.

        Parameters:
            connected: the socket of the exchange.
        """
        with self._lock:
            self._socket, self._has_struck = connected, False
            self._until = time.monotonic() + self._seconds
        try:
            yield
        except Exception as error:
            if self._end():
                raise TimeoutError from error
            raise
        finally:
            self._end()

    def check(self) -> None:
        """Fail with TimeoutError where the time is over."""
        with self._lock:
            if self._has_struck:
                raise TimeoutError

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        self._thread.join()

    def _end(self) -> bool:
        """Watch no more; return whether the time was over."""
        with self._lock:
            self._until = self._socket = None
            return self._has_struck

    def _watch(self) -> None:
        while not self._closed.wait(self._seconds_to_look()):
            self._look()

    def _seconds_to_look(self) -> float:
        # an exchange that begins meanwhile is over no sooner than when this wait is
        until = self._until
        return self._seconds if until is None else max(0.0, until - time.monotonic())

    def _look(self) -> None:
        with self._lock:
            if self._socket is None or self._until is None or time.monotonic() < self._until:
                return
            self._has_struck, self._until = True, None
            with suppress(OSError):  # it is closed already
                # the method of the plain socket: that of TLS would free what is being read from
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
