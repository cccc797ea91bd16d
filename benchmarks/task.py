"""What the process of one turn is told, and what it answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class Task(msgspec.Struct):
    """One turn of one way.

    Attributes:
        section: where events go, as it stands in endpoints.yml; raw clients read the same options.
        count: how many events, or what else the row counts in.
        warm_up: how many events before those.
        folder: an empty folder on a disk, for this turn alone.
        settings: those of the way.
    """

    section: dict[str, Any]
    count: int
    warm_up: int
    folder: str
    settings: dict[str, Any]

    def section_with_delivery(self) -> dict[str, Any]:
        """Return the section for our own way: with a spool where the way has a durability."""
        delivery: dict[str, Any] = {"max_bytes": 2**33, "max_pending": 2**31, "exit_timeout": 0}
        if durability := self.settings.get("durability"):
            delivery |= {"spool": str(Path(self.folder, "spool")), "durability": durability}
        return {**self.section, "delivery": delivery}


class Figures(msgspec.Struct):
    """What one turn has found.

    Attributes:
        measures: each by its name, with its unit.
        sent: events, numbered from 0, that must have arrived now; None where none are looked for.
        curve: points of a plot, where the row has one.
    """

    measures: dict[str, float]
    sent: int | None = None
    curve: list[tuple[float, float]] = []


class Failure(msgspec.Struct):
    """Why a turn has no figures."""

    failure: str


class Request(msgspec.Struct):
    """What a turn asks of the process that started it: `kill`, `recover`."""

    ask: str
