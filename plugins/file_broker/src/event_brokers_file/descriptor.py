"""An open file that a forked child lets go of, and with it the lock."""

from __future__ import annotations

import fcntl
import os
import random
import time
from pathlib import Path

from event_brokers.plugin import BrokerUnavailable, watch_fork

PATIENCE_SECONDS = 10.0  # with another process that holds the lock
_LONGEST_PAUSE_SECONDS = 0.002
_CLOSED = -1
_random = random.Random()  # the application may have seeded the common one


class Descriptor:
    """An open file, by its number.

    Parameters:
        path: of the file; it may be another one's later.
        flags: of `os.open`.

    Attributes:
        number: what the functions of `os` want; of no file once it is closed.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, flags: int) -> None:
        self._path = path
        self.number = _CLOSED
        watch_fork(self)
        self.number = os.open(path, flags | os.O_CLOEXEC, 0o600)

    def status(self) -> os.stat_result:
        """Return what the system knows of the file."""
        return os.fstat(self.number)

    def is_at(self, path: Path) -> bool:
        """Return whether a path leads to this very file."""
        try:
            return os.path.samestat(self.status(), path.stat())
        except FileNotFoundError:
            return False

    def try_lock(self) -> bool:
        """Hold the lock if no other does; return whether it is held now."""
        try:
            fcntl.flock(self.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def lock(self) -> None:
        """Wait until no other holds the lock, and hold it.

        Raises:
            BrokerUnavailable: another process does not let go of it.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.try_lock():
            if time.monotonic() > deadline:
                raise BrokerUnavailable(
                    f"'{self._path}' is locked by another process, which does not let go of it"
                )
            time.sleep(_random.uniform(0, _LONGEST_PAUSE_SECONDS))

    def unlock(self) -> None:
        """Let others have the lock."""
        if self.number != _CLOSED:
            fcntl.flock(self.number, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close it, in a forked child without taking the lock from the parent."""
        number, self.number = self.number, _CLOSED
        if number != _CLOSED:
            os.close(number)

    def before_fork(self) -> None:
        """Nothing is half done that a child would see."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Let go of the file: the lock on it would outlive the parent."""
        self.close()


def sync_folder(folder: Path) -> None:
    """Let the names of the files in a folder outlive a power cut."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(number)
    finally:
        os.close(number)
