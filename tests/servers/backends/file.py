"""Lines of a file, and of those that it was rotated into."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from servers.backends import Arrived, Backend

BACKENDS = (pytest.param("file_backend", id="file"),)
_KEY = b'"event_broker":'


@dataclass(frozen=True)
class Line:
    """A line, read with json alone."""

    body: bytes
    event_id: str | None
    type: str | None
    headers: dict[str, str]


def read_lines(file: Path) -> list[Line]:
    """Return every line of a file, and before it those of the files that it was rotated into.

    Parameters:
        file: its path; it may be missing.
    """
    return [_line(text) for text in read_texts(file)]


def read_texts(file: Path) -> list[bytes]:
    """Return the same as they stand there, without their ends; the last one must have one."""
    return [text for part in _parts(file) for text in _texts(part)]


def _parts(file: Path) -> list[bytes]:
    """Return the contents of the files, oldest first, whatever is rotated meanwhile."""
    while True:
        before = _listed(file)
        try:
            parts = [_content(path) for path in before]
        except FileNotFoundError:
            continue
        if _listed(file) == before:
            return parts


def _listed(file: Path) -> list[Path]:
    rotated: dict[int, Path] = {}
    for path in sorted(file.parent.glob(f"{file.name}.*"), reverse=True):
        number = path.name.removesuffix(".gz").rpartition(".")[2]
        if number.isdigit():
            rotated[int(number)] = path  # the plain one, where its copy is there already
    return [*(rotated[number] for number in sorted(rotated)), *([file] if file.exists() else [])]


def _content(path: Path) -> bytes:
    found = path.read_bytes()
    return gzip.decompress(found) if path.suffix == ".gz" else found


def _texts(part: bytes) -> Iterator[bytes]:
    *whole, rest = part.split(b"\n")
    assert rest == b"", "the file ends with half a line"
    yield from whole


def _line(text: bytes) -> Line:
    try:
        mark = json.loads(text)["event_broker"]
    except (ValueError, KeyError, TypeError):
        return Line(text, None, None, {})
    body = text[: text.rindex(_KEY)].removesuffix(b",") + b"}"
    assert json.loads(text) == {**json.loads(body), "event_broker": mark}
    return Line(body, mark["id"], mark.get("type"), mark.get("headers", {}))


@pytest.fixture
def file_backend(tmp_path: Path) -> Backend:
    """Return a file."""
    file = tmp_path / "events.log"
    return Backend({"type": "file", "path": str(file)}, lambda: _arrived(file), None)


def _arrived(file: Path) -> list[Arrived]:
    return [
        Arrived(line.body, line.event_id or "", json.loads(line.body).get("sender_id"), line.type)
        for line in read_lines(file)
    ]
