"""How far a group of consumers is, in a file that one of them holds at a time."""

from __future__ import annotations

import os
import zlib
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import msgspec

from event_brokers.plugin import ConfigurationError
from event_brokers_file.descriptor import Descriptor, sync_folder
from event_brokers_file.failures import system_reason

FOLDER = ".positions"
_RECORD_BYTES = 512  # that a disk writes as a whole
_LONGEST_NAME = 200
_encode = msgspec.json.Encoder().encode


class Position(msgspec.Struct, frozen=True):
    """Behind which line the next one stands.

    Attributes:
        number: that the file has, or gets when it is rotated.
        offset: bytes of the file, uncompressed, before the next line.
        length: bytes of the line before it, with its end; 0 at the begin of the file.
        digest: of that line, by which the file is known again whatever its name.
        is_rotated: whether the file had its number already.
    """

    number: int
    offset: int = 0
    length: int = 0
    digest: int = 0
    is_rotated: bool = False

    def after(self, line: bytes) -> Position:
        """Return the position behind a line.

        Parameters:
            line: the next one, without its end.
        """
        length = len(line) + 1
        return Position(self.number, self.offset + length, length, digest_of(line), self.is_rotated)


class _Record(msgspec.Struct):
    turn: int
    position: Position
    sum: int


class GroupPosition:
    """Of one group, kept beside the file.

    Two records take turns, so that one is whole wherever the power is cut.

    Parameters:
        file: that is consumed.
        group: the group's name.

    Raises:
        ConfigurationError: it cannot be kept there.
    """

    def __init__(self, file: Path, group: str) -> None:
        folder = file.with_name(file.name + FOLDER)
        path = folder / f"{_file_name(group)}.position"
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._descriptor = Descriptor(path, os.O_RDWR | os.O_CREAT)
            sync_folder(folder)
        except OSError as error:
            raise ConfigurationError(
                f"event_broker.path: the position of group '{group}' cannot be kept in '{folder}': "
                f"{system_reason(error)}; let this user write there"
            ) from error
        self._turn = 0
        self._is_synced = True

    def try_take(self) -> bool:
        """Let no other consumer of the group work; return whether none does."""
        return self._descriptor.try_lock()

    def read(self) -> Position | None:
        """Return the position; None where the group has none yet."""
        records = [self._read_record(turn) for turn in (0, 1)]
        found = max((each for each in records if each), key=lambda each: each.turn, default=None)
        if found is None:
            return None
        self._turn = found.turn
        return found.position

    def write(self, position: Position) -> None:
        """Keep a position, so that it outlives the process.

        Raises:
            OSError: the disk is full, or worse.
        """
        turn = self._turn + 1
        record = _Record(turn, position, _sum_of(turn, position))
        # as long as the one before, in its place: nothing grows, and a full disk takes it
        text = _encode(record).ljust(_RECORD_BYTES - 1) + b"\n"
        os.pwrite(self._descriptor.number, text, turn % 2 * _RECORD_BYTES)
        self._turn, self._is_synced = turn, False

    def sync(self) -> None:
        """Let the position outlive a power cut."""
        if not self._is_synced:
            os.fsync(self._descriptor.number)
            self._is_synced = True

    def close(self) -> None:
        """Let another consumer of the group work."""
        self._descriptor.close()

    def _read_record(self, turn: int) -> _Record | None:
        text = os.pread(self._descriptor.number, _RECORD_BYTES, turn * _RECORD_BYTES)
        try:
            record = msgspec.json.decode(text, type=_Record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        return record if record.sum == _sum_of(record.turn, record.position) else None


def digest_of(line: bytes) -> int:
    """Return a number by which a line is known again."""
    return int.from_bytes(sha256(line).digest()[:6], "big")


def _sum_of(turn: int, position: Position) -> int:
    return zlib.crc32(_encode((turn, position)))


def _file_name(group: str) -> str:
    name = quote(group, safe=" ")
    if len(name) > _LONGEST_NAME:
        return sha256(group.encode()).hexdigest()
    return name
