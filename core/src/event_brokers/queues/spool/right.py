"""Which of the processes that share a spool delivers, and what it says about the broker."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from event_brokers.condition import Condition
from event_brokers.errors import SpoolError
from event_brokers.log import logger
from event_brokers.queues.spool.file_lock import FileLock, is_locked
from event_brokers.queues.spool.own_files import open_own
from event_brokers.wording import system_reason

LOCK = "delivery.lock"


def told(path: Path) -> Condition | None:
    """Return what the holder of a right has said last; None where nobody has said anything.

    Parameters:
        path: the lock's file.
    """
    try:
        with open(path, "rb", opener=open_own) as opened:
            return msgspec.json.decode(opened.read(), type=Condition)
    except (OSError, SpoolError, msgspec.DecodeError):
        return None


class SpoolRight:
    """Held by one process at a time; free at once when that process ends, however it ends.

    What the holder says stands in the lock's own file: it changes often while nothing works, and
    must neither cost a commit nor need room on a full disk.

    Parameters:
        path: the lock's file.
        check: called by who has just got the right; what it raises takes the right away again.
        wait: waits a moment.
    """

    def __init__(self, path: Path, check: Callable[[], None], wait: Callable[[], None]) -> None:
        self._path = path
        self._check = check
        self._wait = wait
        self._lock = FileLock(path)
        self._holder: int | None = None

    def is_held(self) -> bool:
        """Return whether this process delivers."""
        return self._holder == os.getpid()

    def is_taken(self) -> bool:
        """Return whether any process delivers."""
        return self.is_held() or is_locked(self._path)

    def acquire(self) -> bool:
        if self.is_held():
            return True
        if not self._lock.try_acquire():
            self._wait()
            return False
        self._holder = os.getpid()
        try:
            self._check()
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        if self.is_held():
            self._lock.release()
        self._holder = None
        self._lock.close()

    def forget(self) -> None:
        """Let go of what a fork has copied; the parent keeps its right."""
        self._holder = None
        self._lock.close()

    def note(self, condition: Condition) -> None:
        if not self.is_held():
            return
        try:
            self._lock.write(msgspec.json.encode(condition))
        except OSError as error:
            # the log has said the same; only other processes' status is behind
            logger.debug("%s: %s", self._path, system_reason(error))

    def condition(self) -> Condition | None:
        return told(self._path)
