"""Tells whether a spool may have changed, without reading it."""

from __future__ import annotations

import time
from pathlib import Path

# the kernel notes changes to some milliseconds: one that came soon after a look may not show
_YOUNG_SECONDS = 0.1


class Glance:
    """Looks at the write-ahead log, to which every change is written.

    Parameters:
        log: the file.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        self._seen: tuple[int, int, int] | None = None

    def shows_change(self) -> bool:
        """Return whether there may be something new since it was last asked."""
        before, self._seen = self._seen, self._look()
        return self._seen is None or self._seen != before

    def _look(self) -> tuple[int, int, int] | None:
        """Return what tells one state of the log from another; None where nothing does."""
        now = time.clock_gettime(time.CLOCK_REALTIME)
        try:
            found = self._log.stat()
        except OSError:
            return None
        if now - found.st_mtime < _YOUNG_SECONDS:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
