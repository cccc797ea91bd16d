"""What the hook `connect` has to do with whatever client there is: let go of one that is no use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TypeVar


class Closable(Protocol):
    """A connection or a client that can be closed."""

    def close(self) -> object:
        """Release everything that it holds."""


_Closable = TypeVar("_Closable", bound=Closable)


@contextmanager
def closed_on_failure(connection: _Closable) -> Iterator[_Closable]:
    """Close a connection where the block raises: nobody else closes what was never returned.

    Parameters:
        connection: that the block makes ready.
    """
    try:
        yield connection
    except BaseException:
        with suppress(Exception):  # the reason why it was of no use is the one to tell
            connection.close()
        raise
