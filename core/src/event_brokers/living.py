"""Knows by name what of a kind there is in this process, without keeping any of it alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from itertools import count
from typing import Generic, TypeVar

_Thing = TypeVar("_Thing")


def numbered(wanted: str) -> Iterator[str]:
    """Yield a name, and then that with each number from 2: "kafka", "kafka-2"."""
    yield wanted
    yield from (f"{wanted}-{number}" for number in count(2))


class Living(Generic[_Thing]):
    """What there is of one kind; every change is one call into C, as callers can be interrupted."""

    def __init__(self) -> None:
        self._known: dict[str, weakref.ref[_Thing]] = {}

    def add(self, thing: _Thing, wanted: str) -> str:
        """Know of something for as long as it lives, and return its name, which nothing else has.

        Parameters:
            thing: that is new.
            wanted: its name, or that and the first number that is free: "kafka-2".
        """
        for name in numbered(wanted):
            known = weakref.ref(thing, self._forgetting(name))
            if self._known.setdefault(name, known) is known:
                break
        return name

    def forget(self, thing: _Thing) -> None:
        """Know no longer of something, and let something new have its name."""
        for name, known in list(self._known.items()):
            if known() is thing:
                self._known.pop(name, None)

    def forget_all(self) -> None:
        """Know of nothing."""
        self._known.clear()

    def all(self) -> list[_Thing]:
        """Return all there is, in the order in which it came."""
        found = [known() for known in list(self._known.values())]
        return [thing for thing in found if thing is not None]

    def _forgetting(self, name: str) -> Callable[[weakref.ref[_Thing]], None]:
        def forget(gone: weakref.ref[_Thing]) -> None:
            if self._known.get(name) is gone:
                self._known.pop(name, None)

        return forget
