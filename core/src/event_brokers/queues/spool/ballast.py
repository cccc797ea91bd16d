"""Room kept on the disk for letting go of events when the disk is full."""

from __future__ import annotations

import os
from pathlib import Path

from event_brokers.queues.spool.own_files import open_own

# a deletion is written to the log before it frees anything, and so is what the log still holds
BALLAST_BYTES = 8 * 1024 * 1024


class Ballast:
    """A file that is given up when nothing else can be, and made again afterwards.

    Parameters:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None  # of the file as long as it stands there

    def fill(self) -> bool:
        """Keep the room; return whether the disk has it."""
        if self._descriptor is not None and os.fstat(self._descriptor).st_nlink > 0:
            return True
        self.close()
        try:
            self._descriptor = self._found_or_made()
        except OSError:
            return False
        return True

    def drop(self) -> bool:
        """Give the room back to the disk; return whether there was any."""
        self.close()
        try:
            # cut off first: other processes may have the file open
            os.close(open_own(self._path, os.O_WRONLY | os.O_TRUNC))
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def close(self) -> None:
        """Let go of the file, which stays where it is."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _found_or_made(self) -> int:
        try:
            return open_own(self._path, os.O_RDONLY)
        except FileNotFoundError:
            unfinished = self._path.with_suffix(".unfinished")
        descriptor = open_own(unfinished, os.O_WRONLY | os.O_CREAT)
        try:
            os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            unfinished.rename(self._path)
        except OSError:
            os.close(descriptor)
            unfinished.unlink(missing_ok=True)
            raise
        return descriptor
