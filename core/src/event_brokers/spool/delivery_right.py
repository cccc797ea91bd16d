"""Which of the processes that share a spool delivers, and what it says about the broker."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import msgspec

from event_brokers.buffer import Condition
from event_brokers.spool.file_lock import FileLock

logger = logging.getLogger("event_brokers")


class DeliveryRight:
    """Held by one process at a time; free at once when that process ends, however it ends.

    What the holder says stands in the lock's own file: it changes often while nothing works, and
    must neither cost a commit nor need room on a full disk.

    Parameters:
        path: the lock's file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = FileLock(path)
        self._holder: int | None = None

    def is_held(self) -> bool:
        """Return whether this process delivers."""
        return self._holder == os.getpid()

    def acquire(self) -> bool:
        """Take the right if nobody has it; return whether this process has it now."""
        if not self.is_held() and self._lock.try_acquire():
            self._holder = os.getpid()
        return self.is_held()

    def release(self) -> None:
        """Let another process deliver."""
        if self.is_held():
            self._lock.release()
        self._holder = None
        self._lock.close()

    def forget(self) -> None:
        """Let go of what a fork has copied; the parent keeps its right."""
        self._holder = None
        self._lock.close()

    def note(self, condition: Condition) -> None:
        """Say how delivery goes, for those that only look."""
        try:
            self._lock.write(msgspec.json.encode(condition))
        except OSError as error:
            # the log has said the same; only other processes' status is behind
            logger.debug("%s: %s", self._path, error.strerror)

    def condition(self) -> Condition | None:
        """Return what the present or latest holder said last; None where nothing is known."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Condition)
        except (OSError, msgspec.DecodeError):
            return None
