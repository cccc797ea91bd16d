"""What may be said of an error of which the core knows nothing: its text may hold an event."""

from __future__ import annotations

import traceback
from pathlib import Path

from event_brokers.errors import EventBrokersError


class Unforeseen(EventBrokersError):
    """A plugin's `publish` failed in a way of which the core knows nothing.

    Says which error it was and where it came about, but not its text.
    """

    def __init__(self, error: BaseException) -> None:
        frames = traceback.extract_tb(error.__traceback__)
        where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        super().__init__(f"{type(error).__name__}{where}")


class Frames:
    """Where an error and those behind it came about, without what they say; made when logged."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def __str__(self) -> str:
        parts: list[str] = []
        error: BaseException | None = self._error
        while error is not None:
            parts += [type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)]
            error = error.__cause__ or error.__context__
        return "".join(parts)
