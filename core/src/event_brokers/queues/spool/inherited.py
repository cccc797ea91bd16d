"""SQLite's connections that a fork has copied: never used, and never closed."""

from __future__ import annotations

import sqlite3

_kept: list[sqlite3.Connection] = []


def leave_alone(connection: sqlite3.Connection | None) -> None:
    """Keep a connection that belongs to the parent from being closed in the child.

    Closing may write what the parent's threads were about to write, and delete their log.

    Parameters:
        connection: as the fork has copied it; None is none.
    """
    if connection is None:
        return
    _kept.append(connection)
    try:
        import ctypes  # noqa: PLC0415 - for the one fork in many that strikes amid a change
    except ImportError:
        return  # kept until the interpreter takes its modules apart
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(connection))
