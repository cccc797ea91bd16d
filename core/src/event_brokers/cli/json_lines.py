"""Reads JSON lines, one event each, of files of any size."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.errors import InvalidEvent
from event_brokers.wording import system_reason

STANDARD_INPUT = "-"
LONGEST_LINE = 64 * 1024 * 1024  # bytes; a file without line ends must not fill the memory


class Line(msgspec.Struct, frozen=True):
    """One line and where it stands.

    Attributes:
        place: "events.jsonl:3", counted from 1.
        content: its bytes with the line end; a line that is too long is cut.
    """

    place: str
    content: bytes

    def __repr__(self) -> str:
        return f"Line({self.place!r})"

    def is_blank(self) -> bool:
        """Return whether there is nothing to read."""
        return not self.content.strip()

    def event(self) -> dict[str, Any]:
        """Return the JSON object of the line.

        Raises:
            InvalidEvent: it is something else; says what and never shows it.
        """
        if len(self.content) > LONGEST_LINE:
            raise InvalidEvent(f"the line is longer than {LONGEST_LINE // 1024**2} MiB")
        try:
            value = json.loads(self.content.rstrip().decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise InvalidEvent("not UTF-8 text") from None
        except json.JSONDecodeError as error:
            raise InvalidEvent(f"not JSON, from column {error.colno} on") from None
        except RecursionError:
            raise InvalidEvent("nested too deeply") from None
        except ValueError:
            raise InvalidEvent("holds a number with too many digits") from None
        if not isinstance(value, dict):
            raise InvalidEvent("not a JSON object")
        return value


def refuse_unreadable(files: Sequence[str]) -> None:
    """Look at every file without reading it.

    Raises:
        CommandFailed: one of them is missing, is a folder, or may not be read.
    """
    for file in files:
        if file == STANDARD_INPUT:
            continue
        if not Path(file).exists():
            raise _no_input(file, "no such file or directory")
        if Path(file).is_dir():
            raise _no_input(file, "is a directory")
        if not os.access(file, os.R_OK):
            raise _no_input(file, "permission denied")


def total_bytes(files: Sequence[str]) -> int | None:
    """Return the bytes of all the files; None where one of them has no size, such as a pipe."""
    if not all(Path(file).is_file() for file in files):
        return None
    return sum(Path(file).stat().st_size for file in files)


def read(files: Sequence[str]) -> Iterator[Line]:
    """Read the lines of all the files in order, one at a time.

    Parameters:
        files: paths; `-` is standard input.

    Raises:
        CommandFailed: a file cannot be read, or no longer.
    """
    for file in files:
        try:
            with _open(file) as opened:
                yield from _lines(opened, "standard input" if file == STANDARD_INPUT else file)
        except OSError as error:
            raise _no_input(file, system_reason(error, "cannot be read")) from error


@contextmanager
def _open(file: str) -> Iterator[BinaryIO]:
    if file != STANDARD_INPUT:
        with Path(file).open("rb") as opened:
            yield opened
    elif sys.stdin is None:
        raise _no_input("standard input", "is closed")
    else:
        yield sys.stdin.buffer


def _lines(opened: BinaryIO, name: str) -> Iterator[Line]:
    number = 0
    while content := opened.readline(LONGEST_LINE + 1):
        number += 1
        yield Line(f"{name}:{number}", content)
        while len(content) > LONGEST_LINE and not content.endswith(b"\n"):
            content = opened.readline(LONGEST_LINE)


def _no_input(file: str, reason: str) -> CommandFailed:
    return CommandFailed(f"{file}: {reason}", ExitCode.EX_NOINPUT)
