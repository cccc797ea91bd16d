"""Compresses what was rotated, on a thread of its own: nobody who publishes waits for it."""

from __future__ import annotations

import os
import stat
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from event_brokers.plugin import logger
from event_brokers_file.descriptor import Descriptor, sync_folder
from event_brokers_file.failures import system_reason
from event_brokers_file.rotated_files import COMPRESSED, HALF_COMPRESSED, RotatedFile, RotatedFiles

_PIECE = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS  # zlib writes gzip's header, too: https://zlib.net/manual.html
_CLOSE_SECONDS = 5.0


class Compression:
    """Compresses rotated files, oldest first, each once whoever else does the same.

    Parameters:
        rotated: the files.
        keep: how many of them stay; None where all do.
        is_synced: whether a copy is flushed to the disk before the original is deleted.
    """

    def __init__(self, rotated: RotatedFiles, keep: int | None, is_synced: bool) -> None:
        self._rotated = rotated
        self._keep = keep
        self._is_synced = is_synced
        self._is_closed = threading.Event()
        self._is_asked = False
        self._turn = threading.Lock()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Compress what there is, without waiting for it."""
        is_done = all(each.is_compressed for each in self._rotated.find())
        if is_done and not self._rotated.find_left_over():
            return
        with self._turn:
            self._is_asked = True
            if self._thread is not None:
                return
            self._thread = threading.Thread(
                target=self._run, name="event-brokers-file-gzip", daemon=True
            )
        self._thread.start()

    def close(self) -> None:
        """Wait some seconds for it; what is not compressed then is when the file is used next."""
        thread = self._thread
        if thread is None:
            return
        thread.join(_CLOSE_SECONDS)
        self._is_closed.set()
        thread.join(_CLOSE_SECONDS / 2)

    def _run(self) -> None:
        while self._is_wanted():
            try:
                for each in self._rotated.find():
                    if not each.is_compressed and not self._is_closed.is_set():
                        self._compress(each)
                for path in self._rotated.find_left_over():
                    _remove_unless_in_use(path)
                # a copy whose original was deleted in the instant before it got its name
                self._rotated.prune(self._keep)
            except OSError as error:
                logger.warning("file: compressing: %s", system_reason(error))

    def _is_wanted(self) -> bool:
        """Return whether it was asked for since the last time; else the thread ends."""
        with self._turn:
            wanted, self._is_asked = self._is_asked, False
            if not wanted:
                self._thread = None
            return wanted

    def _compress(self, file: RotatedFile) -> None:
        copy = file.path.with_name(file.path.name + COMPRESSED)
        part = file.path.with_name(file.path.name + HALF_COMPRESSED)
        with closing(Descriptor(part, os.O_RDWR | os.O_CREAT)) as target:
            if not target.try_lock() or not target.is_at(part):
                return  # another process does it, or has just done it
            try:
                if copy.exists() or self._write_copy(file.path, part, target):
                    file.path.unlink(missing_ok=True)
            finally:
                part.unlink(missing_ok=True)

    def _write_copy(self, path: Path, part: Path, target: Descriptor) -> bool:
        """Write the compressed copy; return whether it is there, as durable as the original was."""
        os.ftruncate(target.number, 0)
        try:
            source = Descriptor(path, os.O_RDONLY)
        except FileNotFoundError:
            return False  # it was deleted to keep only so many
        with closing(source):
            for piece in _compressed(source.number):
                if self._is_closed.is_set():
                    return False
                _write(target.number, piece)
            found = source.status()
            if not found.st_nlink:
                return False
        os.fchmod(target.number, stat.S_IMODE(found.st_mode))
        with suppress(PermissionError):  # who is not root keeps it himself
            os.fchown(target.number, found.st_uid, found.st_gid)
        os.utime(target.number, ns=(found.st_atime_ns, found.st_mtime_ns))
        if self._is_synced:
            os.fsync(target.number)
        part.rename(part.with_suffix(""))
        if self._is_synced:
            sync_folder(part.parent)
        return True


def _remove_unless_in_use(part: Path) -> None:
    """Delete half a copy, which nobody needs, unless somebody writes it."""
    with suppress(FileNotFoundError), closing(Descriptor(part, os.O_RDWR)) as left:
        if left.try_lock() and left.is_at(part):
            part.unlink()


def _compressed(source: int) -> Iterator[bytes]:
    """Yield a file piece by piece, compressed."""
    compressor = zlib.compressobj(wbits=_GZIP)
    while piece := os.read(source, _PIECE):
        yield compressor.compress(piece)
    yield compressor.flush()


def _write(target: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(target, rest) :]
