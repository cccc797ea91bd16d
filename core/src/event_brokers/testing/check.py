"""What a check is: a method that says what it needs, and what is proven when it passes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., None])
_ATTRIBUTE = "__conformance_check__"


@dataclass(frozen=True)
class Check:
    """One check of the kit.

    Attributes:
        promise: what is proven when it passes, a clause.
        needs: names of answers without which it cannot run.
        hooks: names of the optional hooks that it is about.
        is_slow: whether it waits for a plugin's deadlines, or for a server to start; the short
            form leaves it out.
        works_unloaded: whether it runs although the plugin cannot be used.
    """

    promise: str
    needs: tuple[str, ...]
    hooks: tuple[str, ...]
    is_slow: bool
    works_unloaded: bool


def check(
    *needs: str, hooks: tuple[str, ...] = (), is_slow: bool = False, works_unloaded: bool = False
) -> Callable[[_Function], _Function]:
    """Mark a method as a check, whose docstring's first line is what it proves.

    Parameters:
        needs: names of answers; "a or b" where one of both is enough.
        hooks: optional hooks of the plugin that it is about.
        is_slow: whether the short form leaves it out.
        works_unloaded: whether it says itself that the plugin cannot be used.
    """

    def mark(function: _Function) -> _Function:
        promise = (inspect.getdoc(function) or "").partition("\n")[0].removesuffix(".")
        described = Check(promise, needs, hooks, is_slow, works_unloaded)
        setattr(function, _ATTRIBUTE, described)
        return function

    return mark


def described(function: Any) -> Check | None:
    """Return what a method says of itself; None for one that is no check of the kit."""
    found = getattr(function, _ATTRIBUTE, None)
    return found if isinstance(found, Check) else None
