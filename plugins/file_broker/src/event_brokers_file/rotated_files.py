"""The files that were rotated away, each with a number that only grows and never changes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPRESSED = ".gz"
HALF_COMPRESSED = ".gz.part"
_BEHIND = r"(?:\.\d{4}-\d{2}-\d{2})?\.([1-9]\d*)(\.gz|\.gz\.part)?"


@dataclass(frozen=True)
class RotatedFile:
    """One of them.

    Attributes:
        number: that it was given when it was rotated, from 1.
        path: where it stands.
        is_compressed: whether it is compressed with gzip.
    """

    number: int
    path: Path
    is_compressed: bool


class RotatedFiles:
    """Those of one file, beside it, oldest first.

    A number is never given to another file, so that whoever reads them knows what comes next; only
    where all of them were deleted do numbers begin anew.

    Parameters:
        file: to which events are appended; no link.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._name = re.compile(re.escape(file.name) + _BEHIND)

    def find(self) -> list[RotatedFile]:
        """Return one for each number: the plain one while its compressed copy is being made.

        Raises:
            OSError: the folder cannot be read.
        """
        return list({each.number: each for each in reversed(self._find_all())}.values())[::-1]

    def next_path(self, day: str | None) -> Path:
        """Return where the file goes when it is rotated.

        Parameters:
            day: of its last line, where it belongs into the name.
        """
        number = max((each.number for each in self._find_all()), default=0) + 1
        dated = "" if day is None else f".{day}"
        return self._file.with_name(f"{self._file.name}{dated}.{number}")

    def find_left_over(self) -> list[Path]:
        """Return the half compressed copies whose originals are gone."""
        halves = [(number, path) for number, path, end in self._list() if end == HALF_COMPRESSED]
        originals = {each.number for each in self._find_all() if not each.is_compressed}
        return [path for number, path in halves if number not in originals]

    def prune(self, keep: int | None) -> None:
        """Delete the oldest.

        Parameters:
            keep: how many stay; None where all do.
        """
        if keep is None:
            return
        found = self._find_all()  # once: what is rotated away meanwhile is none of the oldest
        kept = sorted({each.number for each in found})[-keep:]
        for each in found:
            if each.number not in kept:
                each.path.unlink(missing_ok=True)

    def _find_all(self) -> list[RotatedFile]:
        found = [
            RotatedFile(number, path, end == COMPRESSED)
            for number, path, end in self._list()
            if end != HALF_COMPRESSED
        ]
        return sorted(found, key=lambda each: (each.number, each.is_compressed, each.path))

    def _list(self) -> Iterator[tuple[int, Path, str | None]]:
        """Yield number, path and what is behind the number."""
        for name in os.listdir(self._file.parent):  # noqa: PTH208 - thousands of names, as texts
            match = self._name.fullmatch(name)
            if match is not None:
                yield int(match[1]), self._file.with_name(name), match[2]
