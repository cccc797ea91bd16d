"""Tells the process that delivers that another one has stored events.

A named pipe in the spool's folder: whoever stores writes a byte, and who delivers waits for it,
which costs nothing while nothing comes. Where there can be none, who delivers has to look.
"""

from __future__ import annotations

import os
import select
import stat
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from event_brokers import fork
from event_brokers.errors import SpoolError
from event_brokers.log import logger
from event_brokers.queues.spool.own_files import open_own
from event_brokers.queues.spool.worker import never_wait_here
from event_brokers.wording import name_and_first_line

PIPE = "arrivals"
_PIPE_BYTES = 65_536  # as much as a pipe holds
_END_SECONDS = 1.0
_FAILURES = (OSError, RuntimeError, SpoolError)


class ArrivalSignal:
    """Sends to the pipe, and listens to it.

    Parameters:
        path: of the pipe.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._sender: int | None = None
        self._listener: _Listener | None = None

    def send(self) -> None:
        """Let who delivers look; called on the one thread that stores, and never waits."""
        try:
            os.write(self._open_sender(), b"\0")
        except (FileNotFoundError, BlockingIOError):
            pass  # nobody has listened yet, or who listens has not read what came before
        except _FAILURES as error:
            self._tell(error)

    def listen(self, hear: Callable[[], None]) -> bool:
        """Have something called whenever another process has stored events.

        Parameters:
            hear: called on a thread of the signal's own; must not wait.

        Returns:
            Whether it will be; where not, the caller has to look.
        """
        try:
            if self._listener is not None and self._listener.is_listening():
                return True
            self.stop_listening()
            with fork.held_off():  # a child that had an end of it would keep the thread from ending
                self._listener = _Listener(self._path, hear)
        except _FAILURES as error:
            self._tell(error)
            return False
        return True

    def stop_listening(self) -> None:
        """End the thread that listens."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.end()

    def stop_sending(self) -> None:
        """Let go of the pipe; called on the one thread that stores."""
        sender, self._sender = self._sender, None
        if sender is not None:
            os.close(sender)

    def forget(self) -> None:
        """Let go, in a forked child, of what the fork has copied."""
        self.stop_sending()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.forget()

    def _open_sender(self) -> int:
        if self._sender is not None and not _is_at(self._path, self._sender):
            self.stop_sending()  # the whole folder was moved or removed, and may be made anew
        if self._sender is None:
            self._sender = _open(self._path)
        return self._sender

    def _tell(self, error: Exception) -> None:
        # what was stored is safe, and is found a little later without it
        logger.debug("'%s': %s", self._path, name_and_first_line(error))


class _Listener:
    """Reads the pipe on a daemon thread, which closes what it has opened when it ends."""

    def __init__(self, path: Path, hear: Callable[[], None]) -> None:
        with suppress(FileExistsError):
            os.mkfifo(path, 0o600)
        self._path = path
        self._hear = hear
        self._pipe = _open(path)
        self._thread = threading.Thread(
            target=self._listen, name="event-brokers-arrivals", daemon=True
        )
        ends: tuple[int, ...] = ()
        try:
            ends = self._is_over, self._end = os.pipe()
            self._thread.start()
        except BaseException:
            for descriptor in (self._pipe, *ends):
                os.close(descriptor)
            raise

    def is_listening(self) -> bool:
        """Return whether it does, and the pipe is the one that stands in its place."""
        return self._thread.is_alive() and _is_at(self._path, self._pipe)

    def end(self) -> None:
        """Let the thread end, and wait until it has."""
        os.write(self._end, b"\0")
        os.close(self._end)
        if self._thread is not threading.current_thread():  # which a destructor may be on
            self._thread.join(_END_SECONDS)

    def forget(self) -> None:
        """Let go, in a forked child, where there is no thread."""
        self._close()
        os.close(self._end)

    def _listen(self) -> None:
        never_wait_here()
        try:
            waiting = select.poll()
            waiting.register(self._pipe, select.POLLIN)
            waiting.register(self._is_over, select.POLLIN)
            while self._is_over not in dict(waiting.poll()):
                self._empty()
                self._hear()
        finally:
            self._close()

    def _empty(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._pipe, _PIPE_BYTES)

    def _close(self) -> None:
        os.close(self._pipe)
        os.close(self._is_over)


def _is_at(path: Path, descriptor: int) -> bool:
    """Return whether an open file is the one that stands in a place now."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _open(path: Path) -> int:
    """Open the pipe for both ways: then neither opening nor writing waits, or fails, for anybody.

    Raises:
        OSError: there is none.
        SpoolError: it is none, or others could have changed it.
    """
    descriptor = open_own(path, os.O_RDWR | os.O_NONBLOCK)
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SpoolError(f"'{path}' is no pipe; remove it")
    return descriptor
