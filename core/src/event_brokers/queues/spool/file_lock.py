"""A lock between processes, which the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from event_brokers.queues.spool.own_files import make_folder, open_own

_PAGE_BYTES = 4096


class FileLock:
    """Holds an exclusive flock on a file of its own; one thread at a time uses it.

    The file is never deleted by this project: whoever waits on a deleted file waits for nobody.

    Parameters:
        path: the file; made where it is missing, for its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self._identity: tuple[int, int] | None = None
        self.is_held = False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait until no other holds the lock, and hold it.

        Raises:
            OSError: the file cannot be made or opened.
            SpoolError: others could change the file.
        """
        self._lock(fcntl.LOCK_EX)
        try:
            yield
        finally:
            self.release()

    def try_acquire(self) -> bool:
        """Hold the lock if no other does; return whether it is held now.

        Raises:
            OSError: the file cannot be made or opened.
            SpoolError: others could change the file.
        """
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others have the lock."""
        self.is_held = False
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, in a forked child without taking the lock from the parent."""
        self.is_held = False
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def write(self, content: bytes) -> None:
        """Replace what stands in the file, while the lock is held.

        Parameters:
            content: a page at most; filled up with blanks.

        Raises:
            OSError: the disk is full, or worse.
        """
        # one page, always as long: who reads meanwhile finds the old text or the new one
        os.pwrite(self._open(), content.ljust(_PAGE_BYTES), 0)

    def _lock(self, operation: int) -> None:
        while True:
            fcntl.flock(self._open(), operation)
            if self._is_in_place():
                self.is_held = True
                return
            self.close()  # somebody removed the folder: the lock would be on a file nobody sees

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self._path.parent)
            self._descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
            opened = os.fstat(self._descriptor)
            self._identity = opened.st_dev, opened.st_ino
        return self._descriptor

    def _is_in_place(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        return (there.st_dev, there.st_ino) == self._identity
