"""What a run has found, as it is kept in a file: each row with its ways and its goals."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Literal

import msgspec


class Spread(msgspec.Struct, frozen=True):
    """One measure over the rounds.

    Attributes:
        median: the one in the middle.
        low: the least.
        high: the most.
    """

    median: float
    low: float
    high: float


class WayResult(msgspec.Struct, frozen=True):
    """What the turns of one way have found.

    Attributes:
        label: the way's.
        measures: each by its name.
        curve: of the last round, where the row has one.
        missing: what is not installed, so that there is nothing else.
    """

    label: str
    measures: dict[str, Spread] = {}
    curve: list[tuple[float, float]] = []
    missing: str | None = None


class GoalResult(msgspec.Struct, frozen=True):
    """One goal, and how near it was.

    Attributes:
        text: the goal in words.
        value: what was reached; None where a way was missing.
        is_multiple: whether the value says how many times another figure it is.
        met: whether it is good enough.
        beside: the label of the way whose figure that is.
    """

    text: str
    value: float | None
    is_multiple: bool
    met: bool | None
    beside: str | None = None


class RowResult(msgspec.Struct, frozen=True, kw_only=True):
    """One row.

    Attributes:
        group: the name by which it was asked for.
        title: what was measured.
        state: `failed` where something did not arrive as it was sent: there are no figures then.
        reason: why there are no figures.
        quick: whether it was measured in its short form.
        rounds: turns of each way.
        length: what each turn was long, such as `50,000 events`.
        ways: in the order of their turns.
        goals: each with what was reached.
    """

    group: str
    title: str
    state: Literal["measured", "missing", "failed"]
    quick: bool
    rounds: int
    length: str
    reason: str | None = None
    ways: list[WayResult] = []
    goals: list[GoalResult] = []


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured: ratios hold elsewhere, figures do not.

    Attributes:
        day: such as 2026-01-31.
        python: its version.
        processor: its name.
        cores: how many.
        packages: those that were measured, with their versions.
    """

    day: str
    python: str
    processor: str
    cores: int
    packages: dict[str, str]


class Results(msgspec.Struct, frozen=True):
    """A run, or several that were made on one machine.

    Attributes:
        machine: of the last run.
        rows: the latest of each.
    """

    machine: Machine
    rows: list[RowResult]

    def with_row(self, row: RowResult) -> Results:
        """Return the same with a row that stands for any of the same title."""
        others = [each for each in self.rows if each.title != row.title]
        return Results(self.machine, [*others, row])


def spread(values: list[float]) -> Spread:
    """Return the median and the extremes."""
    return Spread(statistics.median(values), min(values), max(values))


def read(file: Path) -> Results:
    """Read what a run has kept.

    Raises:
        OSError: there is no such file.
        msgspec.ValidationError: it holds something else.
    """
    return msgspec.json.decode(file.read_bytes(), type=Results)


def write(results: Results, file: Path) -> None:
    """Keep what a run has found, readable for people too."""
    file.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")
