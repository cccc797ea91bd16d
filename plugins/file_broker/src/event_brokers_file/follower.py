"""Goes through the files in the order in which they were written, whatever is rotated meanwhile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from msgspec.structs import replace

from event_brokers.plugin import ReceivedEvent, logger
from event_brokers_file.line import from_line, is_whole
from event_brokers_file.position import Position, digest_of
from event_brokers_file.rotated_files import COMPRESSED, RotatedFile, RotatedFiles
from event_brokers_file.source import (
    GzipSource,
    PlainSource,
    Source,
    find_last_line,
    read_lines,
    read_rest,
)

Received = tuple[Position, ReceivedEvent]  # with the position behind it


class Follower:
    """Reads the lines of a file, and of those that it was rotated into.

    Parameters:
        file: to which events are appended; no link.

    Attributes:
        position: of the line that is read next.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._name = file.name  # of the file that is open
        self._rotated = RotatedFiles(file)
        self._source: Source | None = None
        self.position = Position(0)

    def begin_at_end(self) -> None:
        """Begin with the lines that are written from now on."""
        current, rotated = self._look()
        self.position = Position(_number_behind(rotated))
        if current is None:
            return
        begin, line = find_last_line(current)
        if line is not None:
            self.position = replace(self.position, offset=begin).after(line)
        self._use(current, self.position, self._file.name)

    def begin_at(self, position: Position) -> None:
        """Go on at a position; where its file is gone, with the oldest line that may be new."""
        self.position = position
        if not position.offset or self._find_file_of(position):
            return
        logger.warning(
            "file: what stood before the position in '%s' is gone; begins at the start of the "
            "oldest file that is not older", self._file,
        )  # fmt: skip
        rotated = self._rotated.find()
        are_new = position.is_rotated and _number_behind(rotated) <= position.number
        self.position = Position(0 if are_new else position.number)

    def read(self) -> list[Received]:
        """Return the next events; none where none has come.

        Raises:
            ConfigurationError: a compressed file is damaged.
            OSError: a file cannot be read.
        """
        if self._source is None:
            self._open_next()
        if self._source is None:
            return []
        is_finished = self._is_finished(self._source)  # asked before: nothing comes behind that
        if not is_finished:
            self._begin_anew_if_replaced(self._source)
        found = self._receive(self._source, read_lines(self._source, self.position.offset))
        if found or not is_finished:
            return found
        rest = read_rest(self._source, self.position.offset)
        if is_whole(rest):
            return self._receive(self._source, [rest])
        self.position = Position(self._next_number(self._source))
        self.close()
        return []

    def close(self) -> None:
        """Close the file that is open."""
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def _receive(self, source: Source, lines: Sequence[bytes]) -> list[Received]:
        received = []
        for line in lines:
            before, self.position = self.position, self.position.after(line)
            if not line:
                continue
            event = from_line(line, f"file '{self._name}', byte {before.offset}")
            if event.problem and source.read(before.offset, len(line)) != line:
                # half of it was cut off while it was read, and another one stands there now
                self.position = before
                break
            received.append((self.position, event))
        return received

    def _look(self) -> tuple[PlainSource | None, list[RotatedFile]]:
        """Return the file at its path, and exactly those that were rotated before it."""
        while True:
            current = self._open_current()
            rotated = self._rotated.find()
            if current is None or current.is_at(self._file):
                return current, rotated
            current.close()

    def _open_current(self) -> PlainSource | None:
        try:
            return PlainSource(self._file)
        except FileNotFoundError:
            return None  # not made yet, or about to be made anew

    def _open_next(self) -> None:
        """Open the file of the position, or the next one that there is."""
        current, rotated = self._look()
        if self.position.number > _number_behind(rotated):
            self.position = Position(0)  # all of them were deleted, and numbers begin anew
        later = [each for each in rotated if each.number >= self.position.number]
        if not later:
            if current is not None:
                self._use(current, Position(_number_behind(rotated)), self._file.name)
            return
        if current is not None:
            current.close()
        found = _open_rotated(later[0])
        if found is None:
            return  # deleted just now: looked for again
        if later[0].number > self.position.number > 0:
            logger.warning("file: files before '%s' were deleted unread", later[0].path)
        self._use(found, Position(later[0].number, is_rotated=True), later[0].path.name)

    def _use(self, source: Source, position: Position, name: str) -> None:
        self._source, self.position, self._name = source, position, name

    def _find_file_of(self, position: Position) -> bool:
        """Open the file in which the line before a position stands; return whether one has it."""
        current, rotated = self._look()
        for file, source in self._candidates(position.number, current, rotated):
            if not _stands_in(source, position):
                source.close()
                continue
            number = file.number if file else _number_behind(rotated)
            name = file.path.name if file else self._file.name
            self._use(source, replace(position, number=number, is_rotated=file is not None), name)
            if current is not None and source is not current:
                current.close()
            return True
        return False

    @staticmethod
    def _candidates(
        number: int, current: Source | None, rotated: Sequence[RotatedFile]
    ) -> Iterator[tuple[RotatedFile | None, Source]]:
        """Yield the files, open, the one first that most likely has the number."""
        later = [each for each in rotated if each.number >= number]
        earlier = [each for each in rotated if each.number < number]
        for each in (*later, None, *earlier):
            source = current if each is None else _open_rotated(each)
            if source is not None:
                yield each, source

    def _is_finished(self, source: Source) -> bool:
        """Return whether nothing is appended to the open file any more."""
        if self.position.is_rotated:
            return True
        return not source.is_at(self._file) and self._file.exists()

    def _begin_anew_if_replaced(self, source: Source) -> None:
        if not self.position.offset or source.read(self.position.offset - 1, 1) == b"\n":
            return
        logger.warning("file: '%s' was emptied or replaced; begins at its start", self._file)
        self.position = Position(self.position.number)

    def _next_number(self, source: Source) -> int:
        """Return the number of the file behind the open one, which is finished."""
        rotated = self._rotated.find()
        for each in rotated:
            if source.is_at(each.path):
                return each.number + 1
        if all(each.number < self.position.number for each in rotated):
            return self.position.number  # it was deleted, and another one has its place
        return self.position.number + self._was_rotated_as_numbered(rotated)

    def _was_rotated_as_numbered(self, rotated: Sequence[RotatedFile]) -> bool:
        """Return whether the file that has the position's number now is the one that was open."""
        same = [each for each in rotated if each.number == self.position.number]
        found = _open_rotated(same[0]) if same else None
        if found is None:
            return True  # it was deleted since, to keep only so many
        with closing(found):
            return _stands_in(found, self.position)


def _open_rotated(file: RotatedFile) -> Source | None:
    """Open a file that may be compressed at this moment; None where it is gone."""
    if not file.is_compressed:
        try:
            return PlainSource(file.path)
        except FileNotFoundError:
            pass
    compressed = file.path if file.is_compressed else Path(f"{file.path}{COMPRESSED}")
    try:
        return GzipSource(compressed)
    except FileNotFoundError:
        return None


def _stands_in(source: Source, position: Position) -> bool:
    """Return whether the line before a position stands in a file, at the same place."""
    line = source.read(position.offset - position.length, position.length)
    if len(line) == position.length and not line.endswith(b"\n"):
        return False  # the last line of a file may lack its end
    return digest_of(line.removesuffix(b"\n")) == position.digest


def _number_behind(rotated: Sequence[RotatedFile]) -> int:
    return rotated[-1].number + 1 if rotated else 1
