"""The matrix of faults: printed after the tests, and written into docs/reliability.md."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- matrix -->\n", "<!-- /matrix -->"
PROPERTY = "fault"
COLUMNS = (
    "fault", "broker", "published", "delivered", "duplicates", "dead letters", "lost",
    "first delivery after",
)  # fmt: skip


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(map(str, cells))} |"


HEADING = (_line(COLUMNS), _line(["---"] * 2 + ["---:"] * 6))


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the matrix; with `--faults`, put its rows into the document too."""
    reports = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
    rows = [value for each in reports for name, value in each.user_properties if name == PROPERTY]
    if not rows:
        return
    rows.sort(key=lambda row: (row[0], row[1]))
    terminalreporter.write_sep("=", "faults")
    for line in [*HEADING, *map(_line, rows)]:
        terminalreporter.write_line(line)
    lost = sum(int(row[6]) for row in rows)
    terminalreporter.write_line(f"{len(rows)} faults, {lost} lost")
    if config.getoption("--faults") and not terminalreporter.stats.get("failed"):
        _write(rows)


def _write(rows: Sequence[Sequence[object]]) -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    # a run of some faults says nothing of the others
    lines = {_key(line): line for line in table.split("\n")[3:] if line}
    lines |= {_key(line): line for line in map(_line, rows)}
    written = "\n".join([*HEADING, *(lines[key] for key in sorted(lines))])
    DOCUMENT.write_text(f"{before}{BEGIN}\n{written}\n\n{END}{after}", encoding="utf-8")


def _key(line: str) -> tuple[str, ...]:
    return tuple(line.split(" | ")[:2])
