"""A small disk of a test's own, which can be filled without harm to anybody."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a disk in a folder for as long as it is entered; skip the test where nobody may.

    Parameters:
        folder: made.
        size: of the disk, in bytes.
    """
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a small disk, and not everywhere")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill_up(disk: Path, left: int = 0) -> Path:
    """Let another program take the room of a disk; return its file.

    Parameters:
        disk: where it is mounted.
        left: bytes that stay free, in whole pages of the memory.
    """
    file = disk / "another program's"
    with file.open("wb", buffering=0) as opened:
        try:
            while True:
                opened.write(bytes(4096))
        except OSError:
            opened.truncate(opened.tell() - left)
    return file
