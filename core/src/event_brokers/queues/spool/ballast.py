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

    def fill(self) -> bool:
        """Keep the room; return whether the disk has it."""
        if self._is_there():
            return True
        unfinished = self._path.with_suffix(".unfinished")
        try:
            descriptor = open_own(unfinished, os.O_WRONLY | os.O_CREAT)
            try:
                os.posix_fallocate(descriptor, 0, BALLAST_BYTES)
            finally:
                os.close(descriptor)
            unfinished.rename(self._path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            return False
        return True

    def drop(self) -> bool:
        """Give the room back to the disk; return whether there was any."""
        try:
            self._path.unlink()
        except FileNotFoundError:
            return False
        return True

    def _is_there(self) -> bool:
        try:
            self._path.lstat()
        except FileNotFoundError:
            return False
        return True
