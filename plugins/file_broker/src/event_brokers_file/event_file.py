"""The file that is appended to: whole lines, by one process at a time, as durable as asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from event_brokers.plugin import BrokerUnavailable, ConfigurationError, logger
from event_brokers_file.descriptor import Descriptor, sync_folder
from event_brokers_file.line import is_whole

_PIECE = 64 * 1024


class Incomplete(Exception):
    """Not all of the lines were written.

    Parameters:
        lines: how many were, whole and durable.
        reason: why not more.
    """

    def __init__(self, lines: int, reason: OSError) -> None:
        super().__init__(lines, reason)
        self.lines = lines
        self.reason = reason


class EventFile:
    """The file at its path, open.

    Parameters:
        path: of the file; a link is followed.
        is_made: whether it is made where it is missing.
        is_synced: whether lines are flushed to the disk before they count as written.

    Attributes:
        path: without links.

    Raises:
        ConfigurationError: it is no file.
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path, is_made: bool, is_synced: bool) -> None:
        self.path = Path(os.path.realpath(path))
        self._is_synced = is_synced
        self._descriptor = _open(self.path, is_made)
        self._size = 0
        if is_synced:  # whoever has made it may have been killed before that
            sync_folder(self.path.parent)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from appending while the block lasts.

        Raises:
            BrokerUnavailable: another process does not let go of it.
            OSError: it cannot be read or written.
        """
        self._descriptor.lock()
        try:
            yield
        finally:
            self._descriptor.unlock()

    def is_at(self, path: Path) -> bool:
        """Return whether a path still leads to this very file."""
        return self._descriptor.is_at(path)

    def is_deleted(self) -> bool:
        """Return whether the file is gone, and not moved to another name."""
        return self._descriptor.status().st_nlink == 0

    def status(self) -> os.stat_result:
        """Return what the system knows of the file."""
        return self._descriptor.status()

    def mend(self) -> int:
        """Let the file end with a whole line, and return its size; only while it is locked.

        A process that was killed amid a write leaves half a line, of an event that is not
        delivered and comes again. A whole one without an end is somebody else's, and stays.
        """
        number = self._descriptor.number
        self._size = os.fstat(number).st_size
        if not self._size or os.pread(number, 1, self._size - 1) == b"\n":
            return self._size
        begin = self._find_last_line()
        if is_whole(os.pread(number, self._size - begin, begin)):
            os.write(number, b"\n")
            self._size += 1
        else:
            os.ftruncate(number, begin)
            torn, self._size = self._size - begin, begin
            logger.warning(
                "file: '%s' ended with %d bytes of a line that nobody has finished; cut off",
                self.path, torn,
            )  # fmt: skip
        return self._size

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines to the end of the file; only while it is locked and mended.

        Whole lines stay where they were seen by somebody who reads, whatever fails behind them.

        Raises:
            Incomplete: not all of them were written.
            BrokerUnavailable: the file was deleted meanwhile.
        """
        data = memoryview(b"".join(lines))
        written = 0
        try:
            while written < len(data):
                written += os.write(self._descriptor.number, data[written:])
        except OSError as error:
            raise self._incomplete(lines, written, error) from error
        self._sync()  # where that fails, a second time would succeed, and be no proof
        if self.is_deleted():
            raise BrokerUnavailable(f"'{self.path}' was deleted while it was written")
        self._size += written

    def move(self, target: Path) -> None:
        """Give the file another name, and let an empty one with the same rights take its place."""
        before = self.status()
        self.path.rename(target)
        self._descriptor.close()
        self._descriptor = _open(self.path, True)
        os.fchmod(self._descriptor.number, stat.S_IMODE(before.st_mode))
        with suppress(PermissionError):  # who is not root keeps it himself
            os.fchown(self._descriptor.number, before.st_uid, before.st_gid)
        if self._is_synced:
            sync_folder(self.path.parent)

    def close(self) -> None:
        """Close the file."""
        self._descriptor.close()

    def _incomplete(self, lines: Sequence[bytes], written: int, reason: OSError) -> Incomplete:
        """Cut off half a line, and return what is to be said of the whole ones."""
        whole, end = 0, 0
        for line in lines:
            if end + len(line) > written:
                break
            whole, end = whole + 1, end + len(line)
        try:
            os.ftruncate(self._descriptor.number, self._size + end)
            self._sync()
        except OSError:
            return Incomplete(0, reason)  # the next one who appends mends it
        return Incomplete(whole, reason)

    def _sync(self) -> None:
        if self._is_synced:
            os.fsync(self._descriptor.number)

    def _find_last_line(self) -> int:
        """Return where the last line begins, which has no end."""
        end = self._size
        while end:
            begin = max(0, end - _PIECE)
            found = os.pread(self._descriptor.number, end - begin, begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0


def _open(path: Path, is_made: bool) -> Descriptor:
    refuse_other_kinds(path)
    made = os.O_CREAT if is_made else 0
    descriptor = Descriptor(path, os.O_RDWR | os.O_APPEND | made)
    if not stat.S_ISREG(descriptor.status().st_mode):
        descriptor.close()
        refuse_other_kinds(path)
    return descriptor


def refuse_other_kinds(path: Path) -> None:
    """Look at what a path leads to, before it is opened: opening can have effects of its own.

    Raises:
        ConfigurationError: to a folder, a device, or another thing to which nothing is appended.
        OSError: it cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise ConfigurationError(f"event_broker.path: '{path}' is a folder; name a file")
    if not stat.S_ISREG(mode):
        raise ConfigurationError(
            f"event_broker.path: '{path}' is neither a file nor missing; name a file, "
            "or - for standard output"
        )
