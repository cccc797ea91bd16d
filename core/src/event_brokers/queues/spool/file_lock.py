"""A lock between processes, which the kernel frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType

from event_brokers.errors import SpoolError
from event_brokers.queues.spool.own_files import make_folder, open_own
from event_brokers.wording import system_reason

_PAGE_BYTES = 4096


def is_locked(path: Path) -> bool:
    """Return whether somebody holds the lock; makes no file.

    Raises:
        OSError: the file cannot be opened.
        SpoolError: others could change it.
    """
    try:
        descriptor = open_own(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # shared, so that two that look are not in each other's way
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class FileLock:
    """Holds an exclusive flock on a file of its own; one thread at a time uses it.

    The file is never deleted by this project: whoever waits on a deleted file waits for nobody.

    Parameters:
        path: the file; made where it is missing, for its owner alone.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.is_held = False

    def acquire(self) -> None:
        """Wait until no other holds the lock, and hold it.

        Raises:
            SpoolError: the file cannot be made or opened, or others could change it.
        """
        self._lock(fcntl.LOCK_EX)

    def try_acquire(self) -> bool:
        """Hold the lock if no other does; return whether it is held now.

        Raises:
            SpoolError: the file cannot be made or opened, or others could change it.
        """
        return self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)

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

    def follow(self) -> None:
        """Hold the lock of the file that stands in the place now, where it is another one."""
        held = os.fstat(self._open())
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is None or (there.st_dev, there.st_ino) != (held.st_dev, held.st_ino):
            self.close()
            self.acquire()

    def write(self, content: bytes) -> None:
        """Replace what stands in the file, while the lock is held.

        Parameters:
            content: a page at most; filled up with blanks.

        Raises:
            OSError: the disk is full, or worse.
        """
        # one page, always as long: who reads meanwhile finds the old text or the new one
        os.pwrite(self._open(), content.ljust(_PAGE_BYTES), 0)

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _lock(self, operation: int) -> bool:
        try:
            while not self.is_held:
                descriptor = self._open()
                fcntl.flock(descriptor, operation)
                # the whole folder may have been removed: nobody else sees this file then
                self.is_held = os.fstat(descriptor).st_nlink > 0
                if not self.is_held:
                    self.close()
        except BlockingIOError:
            return False
        except OSError as error:
            raise SpoolError(f"'{self._path}': {system_reason(error)}") from error
        return True

    def _open(self) -> int:
        if self._descriptor is None:
            make_folder(self._path.parent)
            self._descriptor = open_own(self._path, os.O_RDWR | os.O_CREAT)
        return self._descriptor
