"""`type: file` holds the contract."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import Any

from event_brokers.testing import Arrived, Conformance
from servers.backends.file import read_lines


class TestFile(Conformance):
    """A file that is never rotated."""

    type = "file"

    def options(self) -> dict[str, Any]:
        """Return a file of the test's own."""
        return {"path": str(self._file())}

    def arrived(self) -> list[Arrived]:
        """Return the lines."""
        return [
            Arrived(line.body, line.event_id, {**line.headers, "event_type": line.type or ""})
            for line in read_lines(self._file())
        ]

    def place_exists(self) -> bool:
        """Return whether the file is there."""
        return self._file().exists()

    def freeze_server(self) -> None:
        """Lock the file, as a process does that hangs while it writes."""
        self._other = self._file().open("rb")
        fcntl.flock(self._other, fcntl.LOCK_EX)

    def thaw_server(self) -> None:
        """Let go of the file."""
        self._other.close()

    def put(self, body: bytes) -> None:
        """Append a line."""
        with self._file().open("ab") as file:
            file.write(body + b"\n")

    def _file(self) -> Path:
        return self.folder / "events.log"


class TestRotatedFile(TestFile):
    """A file that is full after a few events, and compressed when it is rotated."""

    def options(self) -> dict[str, Any]:
        """Return a file of the test's own, that is rotated often."""
        return {**super().options(), "rotate": "size", "rotate_bytes": 2000, "compress": True}
