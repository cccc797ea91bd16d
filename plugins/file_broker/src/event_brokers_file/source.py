"""One file that is read, plain or compressed, line by line from any place on."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Protocol

from event_brokers.plugin import ConfigurationError
from event_brokers_file.descriptor import Descriptor

_PIECE = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Source(Protocol):
    """A file that is open to be read."""

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of it, uncompressed; fewer where it ends.

        Parameters:
            offset: where they begin.
            size: how many.
        """

    def is_at(self, path: Path) -> bool:
        """Return whether a path leads to this very file."""

    def close(self) -> None:
        """Close it."""


class PlainSource:
    """A file as it is.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = Descriptor(path, os.O_RDONLY)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor.number, size, offset)

    def size(self) -> int:
        """Return the bytes that it has now."""
        return self._descriptor.status().st_size

    def is_at(self, path: Path) -> bool:
        return self._descriptor.is_at(path)

    def close(self) -> None:
        self._descriptor.close()


class GzipSource:
    """A file that was compressed; to be read forwards, for going back begins at its start.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = Descriptor(path, os.O_RDONLY)
        self._rewind()

    def read(self, offset: int, size: int) -> bytes:
        if offset < self._begin:
            self._rewind()
        while self._begin + len(self._found) < offset + size and self._decompress():
            if self._begin < offset:
                passed = min(offset - self._begin, len(self._found))
                del self._found[:passed]
                self._begin += passed
        start = offset - self._begin
        return bytes(self._found[start : start + size])

    def is_at(self, path: Path) -> bool:
        return self._descriptor.is_at(path)

    def close(self) -> None:
        self._descriptor.close()

    def _rewind(self) -> None:
        os.lseek(self._descriptor.number, 0, os.SEEK_SET)
        self._decompressor = zlib.decompressobj(wbits=_GZIP)
        self._is_amid = False  # of a member: RFC 1952, section 2.2
        self._rest = b""  # compressed, and not looked at yet
        self._found = bytearray()
        self._begin = 0  # where that begins in the file

    def _decompress(self) -> bool:
        """Find some more of the file; return whether there was more."""
        if self._decompressor.eof:
            self._rest, self._decompressor = (
                self._decompressor.unused_data, zlib.decompressobj(wbits=_GZIP)
            )  # fmt: skip
            self._is_amid = False
        given = self._rest or os.read(self._descriptor.number, _PIECE)
        if not given:
            if self._is_amid:
                raise self._damaged()
            return False
        try:
            self._found += self._decompressor.decompress(given, _PIECE)
        except zlib.error:
            raise self._damaged() from None
        self._rest, self._is_amid = self._decompressor.unconsumed_tail, not self._decompressor.eof
        return True

    def _damaged(self) -> ConfigurationError:
        return ConfigurationError(
            f"event_broker.path: '{self._path}' is no gzip, or damaged; repair it, or move it "
            "away to go on without it"
        )


def read_lines(source: Source, offset: int) -> list[bytes]:
    """Return the next whole lines, without their ends; none where there is none.

    Parameters:
        source: to read from.
        offset: where the first begins.
    """
    size = _PIECE
    while True:
        found = source.read(offset, size)
        end = found.rfind(b"\n")
        if end >= 0:
            return found[:end].split(b"\n")
        if len(found) < size:
            return []
        size *= 4


def read_rest(source: Source, offset: int) -> bytes:
    """Return all that stands behind an offset.

    Parameters:
        source: to read from.
        offset: behind the last whole line.
    """
    size = _PIECE
    while len(found := source.read(offset, size)) == size:
        size *= 4
    return found


def find_last_line(source: PlainSource) -> tuple[int, bytes | None]:
    """Return where the last whole line begins, and the line without its end; None without one.

    Parameters:
        source: to read from.
    """
    end = _find_end_before(source, source.size())
    if not end:
        return 0, None
    begin = _find_end_before(source, end - 1)
    return begin, source.read(begin, end - 1 - begin)


def _find_end_before(source: Source, end: int) -> int:
    """Return the place behind the last line end before a place; 0 where there is none."""
    while end:
        begin = max(0, end - _PIECE)
        found = source.read(begin, end - begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
