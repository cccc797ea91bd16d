"""Knows what of a kind there is in this process, without keeping any of it alive."""

from __future__ import annotations

import weakref
from typing import Generic, TypeVar

_Thing = TypeVar("_Thing")


class Living(Generic[_Thing]):
    """What there is of one kind; every change is one call into C, as callers can be interrupted."""

    def __init__(self) -> None:
        self._known: dict[int, weakref.ref[_Thing]] = {}

    def add(self, thing: _Thing) -> None:
        """Know of something for as long as it lives."""
        key = id(thing)
        self._known[key] = weakref.ref(thing, lambda _gone: self._known.pop(key, None))

    def forget(self, thing: _Thing) -> None:
        """Know no longer of something."""
        self._known.pop(id(thing), None)

    def all(self) -> list[_Thing]:
        """Return all there is, in the order in which it came."""
        found = [known() for known in list(self._known.values())]
        return [thing for thing in found if thing is not None]
