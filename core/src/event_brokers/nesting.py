"""How much a section's values hold, with all that is repeated counted each time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

MOST_VALUES = 10_000
MOST_LEVELS = 100

_Parts = Callable[[Any], Iterable[Any]]
_Key = TypeVar("_Key")


class _Excess(Exception):
    """A value is more than a section may hold; its text says why."""


def excess(options: Iterable[tuple[_Key, Any]], parts: _Parts) -> tuple[_Key, str] | None:
    """Return the key of the first option that is too much, and why; None where all may stay.

    Parameters:
        options: key and value, those of one section.
        parts: what a value holds; nothing for one that holds none.
    """
    count, total = _Count(parts), 0
    for key, value in options:
        try:
            total += count.values_in(value)
            if total > MOST_VALUES:
                _refuse_number()
        except _Excess as reason:
            return key, str(reason)
    return None


def parts_in_python(value: Any) -> Iterable[Any]:
    """Return what a mapping or a list holds; nothing for anything else."""
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, (list, tuple)) else ()


class _Count:
    """Counts what stands in several places once, and adds it as often as it stands there."""

    def __init__(self, parts: _Parts) -> None:
        self._parts = parts
        # with the value itself, for the identity of one that is gone can be given to another
        self._known: dict[int, tuple[Any, int, int]] = {}
        self._open: set[int] = set()

    def values_in(self, value: Any) -> int:
        return self._measure(value, 1)[0]

    def _measure(self, value: Any, level: int) -> tuple[int, int]:
        """Return how many values there are, and how many levels."""
        if id(value) in self._open:
            raise _Excess("contains itself; take that part out")
        _, number, height = self._known.get(id(value)) or (value, 0, 1)
        if level + height - 1 > MOST_LEVELS:
            raise _Excess(f"is nested more than {MOST_LEVELS} deep; make it flat")
        return (number, height) if number else self._measure_parts(value, level)

    def _measure_parts(self, value: Any, level: int) -> tuple[int, int]:
        number = height = 1
        self._open.add(id(value))
        for part in self._parts(value):
            inner, levels = self._measure(part, level + 1)
            number, height = number + inner, max(height, levels + 1)
            if number > MOST_VALUES:
                _refuse_number()
        self._open.remove(id(value))
        self._known[id(value)] = (value, number, height)
        return number, height


def _refuse_number() -> None:
    raise _Excess(f"there are more than {MOST_VALUES:,} values, repeated ones counted; give fewer")
