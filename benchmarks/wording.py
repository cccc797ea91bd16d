"""Figures and goals in words, the same on the terminal and in the documentation."""

from __future__ import annotations

from benchmarks.results import GoalResult, RowResult, Spread


def columns_of(row: RowResult) -> list[str]:
    """Return the measures that any way of the row has, in their order."""
    return list(dict.fromkeys(name for way in row.ways for name in way.measures))


def number(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def spread_in_words(spread: Spread) -> str:
    """Return the median, and the extremes where there are any."""
    if spread.low == spread.high:
        return number(spread.median)
    return f"{number(spread.median)} ({number(spread.low)} to {number(spread.high)})"


def goal_in_words(goal: GoalResult) -> str:
    """Return the goal, and what became of it."""
    if goal.value is None:
        return f"not measured: {goal.text}"
    reached = f"{goal.value:.2f} x" if goal.is_multiple else number(goal.value)
    return f"{'met' if goal.met else 'not met'}: {goal.text}: {reached}"
