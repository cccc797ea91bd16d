"""Tells those concerned that the process is about to fork, and has forked.

What runs here runs on a thread of the application, where a signal handler may raise. Python then
goes on with the fork all the same, so nothing that begins here may depend on what ends it.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol

from event_brokers.bell import Bell
from event_brokers.log import logger
from event_brokers.unforeseen import Unforeseen

_FORK_SECONDS = 2.0  # that anybody waits for another thread that forks
_OPENING_SECONDS = 1.0  # that a fork waits for another thread that opens something
_POLL_SECONDS = 0.001


class Forked(Protocol):
    """Something that a fork must not simply copy."""

    def before_fork(self) -> None:
        """End what must not be copied half done; called in the parent."""

    def after_fork_in_parent(self) -> None:
        """Go on."""

    def after_fork_in_child(self) -> None:
        """Let go of what was copied; no other thread exists there.

        The child's own forks are told only to what watches again there: a connection of the
        parent's stays half done in the child for ever.
        """


_one_at_a_time = threading.RLock()
_watched: dict[int, weakref.ref[Forked]] = {}
_told: list[Forked] = []  # of the fork that is under way
_forking: list[int] = []  # the thread that forks; empty where none does
_opening: list[int] = []  # the threads that hold a fork off
_over = Bell()


def watch(forked: Forked) -> None:
    """Tell something of every fork of this process for as long as it lives.

    Call it before there is anything that must not be copied: it waits while another thread forks,
    which may be too far to tell it.
    """
    key = id(forked)
    _watched[key] = weakref.ref(forked, lambda _gone: _watched.pop(key, None))
    wait_until_over()


def wait_until_over() -> None:
    """Wait while another thread forks, but not for ever."""
    if _is_elsewhere():
        _over.wait_for(lambda: not _is_elsewhere(), _FORK_SECONDS)


@contextmanager
def held_off() -> Iterator[None]:
    """Let no other thread fork while something is opened that no child could open half open."""
    mine = threading.get_ident()
    deadline = time.monotonic() + _FORK_SECONDS
    try:
        # each says what it is about to do before it looks at the other, and this one gives way
        _opening.append(mine)
        while _is_elsewhere() and time.monotonic() < deadline:
            _opening.remove(mine)
            wait_until_over()
            _opening.append(mine)
        yield
    finally:
        with suppress(ValueError):  # a signal handler has forked, and this is the child
            _opening.remove(mine)


def _is_elsewhere() -> bool:
    return _names_another(_forking)


def _names_another(threads: list[int]) -> bool:
    mine = threading.get_ident()
    return any(thread != mine for thread in list(threads))


def _living() -> list[Forked]:
    found = [known() for known in list(_watched.values())]
    return [forked for forked in found if forked is not None]


def _before() -> None:
    _one_at_a_time.acquire(timeout=_FORK_SECONDS)
    _told.clear()
    # said before it looks who watches, and they look at this after they are seen: nobody is missed
    _forking[:] = [threading.get_ident()]
    deadline = time.monotonic() + _OPENING_SECONDS
    while _names_another(_opening) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    for forked in _living():
        _told.append(forked)
        forked.before_fork()


def _in_parent() -> None:
    for forked in _take_told():
        _call(forked.after_fork_in_parent)
    _end()
    with suppress(RuntimeError):  # another thread has it, or the wait for it was interrupted
        _one_at_a_time.release()


def _in_child() -> None:
    global _one_at_a_time, _over
    _one_at_a_time, _over = threading.RLock(), Bell()
    _end()
    _opening.clear()
    _watched.clear()
    for forked in _take_told():
        _call(forked.after_fork_in_child)


def _end() -> None:
    _forking.clear()
    _over.ring()


def _take_told() -> list[Forked]:
    """Return who was told of this fork, the last one first."""
    told = list(reversed(_told))
    _told.clear()
    return told


def _call(after_fork: Callable[[], None]) -> None:
    try:
        after_fork()
    except Exception as error:  # noqa: BLE001 - all the others have to go on as well
        logger.error("after a fork: %s", Unforeseen(error))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
