"""Shows a row on the terminal: a line for each way, and under it what became of the goals."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from benchmarks.results import RowResult
from benchmarks.wording import cells_of, columns_of, goal_in_words

_WIDTH = 160


def show(row: RowResult) -> None:
    """Print a row; nothing but the reason where there are no figures."""
    # what goes into a file or a pipe has no width of its own
    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(highlight=False, markup=False, width=width)
    if row.state != "measured":
        console.print(f"{row.title}: {row.state}: {row.reason}", soft_wrap=True)
        return
    form = ", quick" if row.quick else ""
    title = f"{row.title} ({row.length}, {row.rounds} rounds{form})"
    console.print(title, style="bold", soft_wrap=True)
    table = Table("way")
    columns = columns_of(row)
    for name in columns:
        table.add_column(name, justify="right")
    for way in row.ways:
        if way.missing:
            table.add_row(way.label, way.missing)
        else:
            table.add_row(way.label, *cells_of(way, columns))
    console.print(table)
    for goal in row.goals:
        style = {True: "green", False: "red", None: "yellow"}[goal.met]
        console.print(f"  {goal_in_words(goal)}", style=style, soft_wrap=True)
    console.print()
