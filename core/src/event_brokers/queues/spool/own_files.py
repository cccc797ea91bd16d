"""Files and folders of ours alone: what somebody else could have prepared is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from event_brokers.errors import SpoolError
from event_brokers.wording import system_reason

_FOR_OTHERS_TO_WRITE = stat.S_IWGRP | stat.S_IWOTH


def make_folder(folder: Path) -> None:
    """Make a folder for its owner alone, or look whether the one that is there is safe.

    Raises:
        SpoolError: it cannot be made, or others could change what it holds.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        pass  # no folder, and refused as such
    except OSError as error:
        raise SpoolError(f"'{folder}': {system_reason(error)}") from error
    refuse_unsafe_folder(folder)


def refuse_unsafe_folder(folder: Path) -> None:
    """Look whether a folder is safe.

    Raises:
        SpoolError: it is none, or others could change what it holds.
    """
    try:
        found = folder.stat()
    except OSError as error:
        raise SpoolError(f"'{folder}': {system_reason(error)}") from error
    if not stat.S_ISDIR(found.st_mode):
        raise SpoolError(f"'{folder}' is a file; name a folder")
    _refuse_what_others_can_change(folder, found)


def open_own(path: str | Path, flags: int) -> int:
    """Open a file of ours, and return its descriptor.

    Parameters:
        path: made for its owner alone, where the flags say that it is made.
        flags: of `os.open`.

    Raises:
        OSError: it cannot be opened.
        SpoolError: it is a link, or others could have changed it.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        refuse_unsafe(path)
        raise
    try:
        _refuse_what_others_can_change(path, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def refuse_unsafe(path: str | Path) -> None:
    """Look at what a path leads to, where anything is there.

    Raises:
        SpoolError: it is a link, or others could change it.
    """
    try:
        found = os.lstat(path)
    except OSError:
        return
    if stat.S_ISLNK(found.st_mode):
        raise SpoolError(f"'{path}' is a link, which others may have put there; remove it")
    _refuse_what_others_can_change(path, found)


def _refuse_what_others_can_change(path: str | Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise SpoolError(
            f"'{path}' belongs to another user; run as that user, or name a folder that is yours"
        )
    if found.st_mode & _FOR_OTHERS_TO_WRITE:
        raise SpoolError(
            f"'{path}' can be changed by other users; take that right from them (chmod go-w), or "
            "name a folder inside it, which is then made for you alone"
        )
