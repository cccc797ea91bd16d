"""Faults that befall a file of lines alone."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from faults.scene import Scene
from small_disk import fill_up, small_disk

DISK_BYTES = 8 * 1024**2
_PAGE_BYTES = 4096


def file_of(scene: Scene) -> Path:
    """Return the file to which events go."""
    return Path(scene.section["path"])


@contextmanager
def deleted(scene: Scene) -> Iterator[None]:
    """A person deletes the file, which nobody makes again until he does."""
    file = file_of(scene)
    with scene.running.paused():
        scene.rescue()
        file.unlink()
    yield
    assert not file.exists()
    file.touch()


@contextmanager
def moved(scene: Scene) -> Iterator[None]:
    """Another program rotates the file, again and again."""
    file = file_of(scene)
    for number in range(1, 6):
        scene.running.burst()
        file.rename(file.with_name(f"{file.name}.{number}"))
    yield


@contextmanager
def locked(scene: Scene) -> Iterator[None]:
    """Another process writes into the file, and does not end."""
    with file_of(scene).open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        scene.running.burst()
        yield


@contextmanager
def disk_full(scene: Scene) -> Iterator[None]:
    """The disk on which the file is has no room, until somebody makes some."""
    file = file_of(scene)
    with small_disk(scene.folder / "small", DISK_BYTES) as disk:
        there = disk / file.name
        with scene.running.paused():
            shutil.move(file, there)
            file.symlink_to(there)
        foreign = fill_up(disk, left=100_000)
        scene.running.burst()
        yield
        assert shutil.disk_usage(disk).free < _PAGE_BYTES
        foreign.unlink()
        with scene.running.paused():
            file.unlink()
            shutil.move(there, file)
