"""How deep a value may be nested, so that whatever is kept can also be shown."""

from __future__ import annotations

from typing import Any


def is_deeper(value: Any, levels: int) -> bool:
    """Return whether a value has more dictionaries and lists inside each other than allowed.

    Parameters:
        value: of JSON.
        levels: how many there may be; a dictionary without any in it is one.
    """
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(levels):
        if not level:
            return False
        # level by level: a function that calls itself would fail at the depth that it looks for
        level = [
            inner for outer in level for inner in _items(outer) if isinstance(inner, (dict, list))
        ]
    return bool(level)


def _items(outer: dict[str, Any] | list[Any]) -> Any:
    return outer.values() if isinstance(outer, dict) else outer
