"""Tells those concerned that the process is about to fork, and has forked."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from typing import Protocol


class Forked(Protocol):
    """Something that a fork must not simply copy."""

    def before_fork(self) -> None:
        """End what must not be copied half done; called in the parent."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Let go of what was copied; no other thread exists there."""


_lock = threading.Lock()
# in the order in which they came: a lock is taken by all in the same order
_watched: list[weakref.ref[Forked]] = []
_told: list[Forked] = []


def watch(forked: Forked) -> None:
    """Tell something of every fork for as long as it lives."""
    with _lock:
        _watched[:] = [known for known in _watched if known() is not None]
        _watched.append(weakref.ref(forked))


def _living() -> Iterator[Forked]:
    for known in _watched:
        forked = known()
        if forked is not None:
            yield forked


def _before() -> None:
    _lock.acquire()  # until the fork is over, in the parent and in the child
    _told[:] = _living()
    for forked in _told:
        forked.before_fork()


def _in_parent() -> None:
    for forked in reversed(_told):
        forked.after_fork_in_parent()
    _told.clear()
    _lock.release()


def _in_child() -> None:
    for forked in reversed(_told):
        forked.after_fork_in_child()
    _told.clear()
    _lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
