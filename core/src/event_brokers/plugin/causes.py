"""Finds an error inside those that a client library has packed it into."""

from __future__ import annotations

from collections.abc import Iterator

# pika and asyncio collect several; pymysql and SQLAlchemy keep the one that they translate
_PACKED_IN = ("exceptions", "exception", "original_exception", "orig", "reason")


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and every error it was raised from or holds, nearest first.

    Parameters:
        error: as it was caught.
    """
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        cause = waiting.pop(0)
        if any(cause is known for known in seen):
            continue
        seen.append(cause)
        yield cause
        waiting += _packed_in(cause)


def _packed_in(error: BaseException) -> list[BaseException]:
    packed: list[object] = [*error.args]
    for name in _PACKED_IN:
        held = getattr(error, name, None)
        packed += held if isinstance(held, (list, tuple)) else [held]
    packed.append(error.__cause__)
    if not error.__suppress_context__:
        packed.append(error.__context__)
    return [inner for inner in packed if isinstance(inner, BaseException)]
