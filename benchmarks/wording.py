"""Figures and goals in words, the same on the terminal and in the documentation."""

from __future__ import annotations

from benchmarks.results import GoalResult, RowResult, WayResult


def columns_of(row: RowResult) -> list[str]:
    """Return the measures that any way of the row has, in their order."""
    return list(dict.fromkeys(name for way in row.ways for name in way.measures))


def number(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def cells_of(way: WayResult, columns: list[str]) -> list[str]:
    """Return the medians of a way, the first one with its extremes; empty where there is none."""
    found = [way.measures.get(name) for name in columns]
    cells = [number(each.median) if each else "" for each in found]
    first = found[0]
    if first and first.low != first.high:
        cells[0] += f" ({number(first.low)} to {number(first.high)})"
    return cells


def goal_in_words(goal: GoalResult) -> str:
    """Return the goal, and what became of it."""
    if goal.value is None:
        return f"not measured: {goal.text}"
    reached = f"{goal.value:.2f} x" if goal.is_multiple else number(goal.value)
    return f"{'met' if goal.met else 'not met'}: {goal.text}: {reached}"
