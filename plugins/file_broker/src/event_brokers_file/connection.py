"""One connection: the open file, through its rotations, and what was published into it before."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from event_brokers.plugin import BrokerUnavailable, ConfigurationError, Event
from event_brokers_file.compression import Compression
from event_brokers_file.event_file import EventFile, Incomplete
from event_brokers_file.failures import explaining, translate
from event_brokers_file.line import to_line
from event_brokers_file.options import DEFAULT_ROTATE_BYTES, FileOptions
from event_brokers_file.rotated_files import RotatedFiles

_GONE = (
    "event_broker.path: the file '{}' was used before and is gone; bring it back, or make an empty "
    "one, or, to go on without what it held, forget it: event-brokers spool forget-places, or a "
    "restart where there is no spool"
)


class Connection:
    """A file that is open for events.

    Parameters:
        options: of `type: file`.
        used: the files that earlier connections stored events in; gains this one.

    Raises:
        ConfigurationError: a person must change something.
        BrokerUnavailable: the disk is full, or worse.
    """

    def __init__(self, options: FileOptions, used: set[str]) -> None:
        self._options = options
        self._path = options.file
        self._is_used = place_of(self._path) in used
        with explaining(self._path):
            self._file = self._open(was_moved=False)
        self._rotated = RotatedFiles(self._file.path)
        self._compression = Compression(self._rotated, options.keep, options.durability == "power")
        try:
            with explaining(self._path):
                self._begin_compression()
        except BaseException:
            self._file.close()
            raise
        used.add(place_of(self._path))
        self._is_used = True

    def publish(self, events: Sequence[Event]) -> None:
        """Append a batch, a line each.

        Raises:
            ConfigurationError: a person must change something.
            BrokerUnavailable: the disk is full, or worse; says which of the events are stored.
        """
        lines = [to_line(event, self._options.event_ids) for event in events]
        done = 0
        try:
            while done < len(lines):
                done += self._append_some(lines[done:])
        except (OSError, Incomplete, BrokerUnavailable, ConfigurationError) as error:
            if isinstance(error, Incomplete):
                done += error.lines
            confirmed = [event.id for event in events[:done]]
            raise self._say(error, confirmed) from error

    def close(self) -> None:
        """Close the file, and let a compression that has begun end within seconds."""
        self._compression.close()
        self._file.close()

    def _append_some(self, lines: Sequence[bytes]) -> int:
        """Append lines until the file is full; return how many."""
        with self._current() as file:
            last_day = _day_of(file.status().st_mtime)
            size = file.mend()
            if size and self._is_over(size + len(lines[0]), last_day):
                self._rotate(file, last_day)
                return 0
            count = self._count_fitting(size, lines)
            file.append(lines[:count])
        return count

    @contextmanager
    def _current(self) -> Iterator[EventFile]:
        """Lock the file that the path leads to now; another process may have rotated it."""
        while True:
            with self._file.locked():
                if self._file.is_at(self._path):
                    yield self._file
                    return
            before = self._file
            self._file = self._open(was_moved=not before.is_deleted())
            self._rotated = RotatedFiles(self._file.path)
            before.close()

    def _open(self, was_moved: bool) -> EventFile:
        """Open the file; one that was used and is gone is made anew only where it was moved."""
        is_synced = self._options.durability == "power"
        try:
            return EventFile(self._path, False, is_synced)
        except FileNotFoundError:
            pass
        if self._is_used and not was_moved and not self._was_rotated():
            raise ConfigurationError(_GONE.format(self._path))
        return EventFile(self._path, True, is_synced)

    def _was_rotated(self) -> bool:
        """Return whether the file is missing for that reason: a process was killed meanwhile."""
        path = self._path.resolve()
        return not path.parent.is_dir() or bool(RotatedFiles(path).find())

    def _is_over(self, size: int, last_day: str) -> bool:
        """Return whether the next line belongs into another file."""
        if self._options.rotate == "size":
            return size > self._rotate_bytes
        # a clock that was put back begins no file
        return self._options.rotate == "day" and _day_of(time.time()) > last_day

    def _count_fitting(self, size: int, lines: Sequence[bytes]) -> int:
        if self._options.rotate != "size":
            return len(lines)
        ends = accumulate(map(len, lines), initial=size)
        return max(1, sum(end <= self._rotate_bytes for end in ends) - 1)

    def _rotate(self, file: EventFile, last_day: str) -> None:
        file.move(self._rotated.next_path(last_day if self._options.are_dates_in_names else None))
        self._rotated.prune(self._options.keep)
        self._begin_compression()

    def _begin_compression(self) -> None:
        if self._options.compress:
            self._compression.begin()

    @property
    def _rotate_bytes(self) -> int:
        return self._options.rotate_bytes or DEFAULT_ROTATE_BYTES

    def _say(self, error: Exception, confirmed: Sequence[str]) -> Exception:
        reason = error.reason if isinstance(error, Incomplete) else error
        said = translate(reason, self._path) if isinstance(reason, OSError) else reason
        kind = ConfigurationError if isinstance(said, ConfigurationError) else BrokerUnavailable
        return kind(str(said), confirmed)


def place_of(path: Path) -> str:
    """Return what is remembered of a file in which events are stored."""
    return f"file '{path}'"


def _day_of(seconds: float) -> str:
    """Return the day of this machine's clock, as in 2026-01-31."""
    return time.strftime("%Y-%m-%d", time.localtime(seconds))
