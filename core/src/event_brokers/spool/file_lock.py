"""A lock between processes, which the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

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

    def acquire(self) -> None:
        """Wait until no other holds the lock, and hold it.

        Raises:
            OSError: the file cannot be made or opened.
        """
        self._lock(fcntl.LOCK_EX)

    def try_acquire(self) -> bool:
        """Hold the lock if no other does; return whether it is held now.

        Raises:
            OSError: the file cannot be made or opened.
        """
        try:
            self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others have the lock."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Let go of the file, in a forked child without taking the lock from the parent."""
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

    def __enter__(self) -> FileLock:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _lock(self, operation: int) -> None:
        while True:
            fcntl.flock(self._open(), operation)
            if self._is_in_place():
                return
            self.close()  # somebody removed the folder: the lock would be on a file nobody sees

    def _open(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(self._path, flags, 0o600)
        return self._descriptor

    def _is_in_place(self) -> bool:
        try:
            there = self._path.stat()
        except FileNotFoundError:
            return False
        held = os.fstat(self._open())
        return (there.st_ino, there.st_dev) == (held.st_ino, held.st_dev)
