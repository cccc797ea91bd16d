"""Writes what a run has kept into the documentation: python -m benchmarks.document results.json.

Between `<!-- figures NAME -->` and `<!-- /figures -->` of docs/performance.md stand the rows of
that name, and in README.md the few that matter; the plots go into docs/performance/.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from benchmarks import plots, results
from benchmarks.results import Results, RowResult
from benchmarks.row import OURS, RATE
from benchmarks.rows import ROWS
from benchmarks.wording import cells_of, columns_of, goal_in_words, number

_ROOT = Path(__file__).parents[1]
_DOCUMENTS = ("docs/performance.md", "README.md")
_BLOCK = re.compile(r"(<!-- figures (\S+) -->\n)(.*?)(<!-- /figures -->)", re.DOTALL)
_THROUGHPUT = ("rabbitmq", "kafka", "sql")
_AT_REST = {row.title for row in ROWS if row.place == "down"}
_MARK = " (s)"
_QUICK = ", in the short form"


def main() -> None:
    """Write the page, the table of the README, and the plots."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("file", type=Path, help="what `python -m benchmarks --json` has kept")
    parser.add_argument(
        "--into",
        type=Path,
        default=_ROOT,
        metavar="FOLDER",
        help="a checkout; this one unless given",
    )
    given = parser.parse_args()
    found = results.read(given.file)
    for name in _DOCUMENTS:
        document = given.into / name
        text = document.read_text(encoding="utf-8")
        document.write_text(fill(text, found), encoding="utf-8")
    pictures = given.into / "docs" / "performance"
    pictures.mkdir(exist_ok=True)
    for name, picture in draw(found).items():
        (pictures / f"{name}.svg").write_text(picture, encoding="utf-8")


def fill(text: str, found: Results) -> str:
    """Return a document with its blocks written anew; one that has no figures stays as it is.

    Parameters:
        text: of the document.
        found: the figures.
    """

    def write(block: re.Match[str]) -> str:
        begin, name, _, end = block.groups()
        written = _write_block(name, found)
        return f"{begin}\n{written}\n\n{end}" if written else block[0]

    return _BLOCK.sub(write, text)


def draw(found: Results) -> dict[str, str]:
    """Return the plots that the figures are there for, each by its name."""
    rows = [row for row in _in_order(found) if row.state == "measured"]
    at_rest = [row for row in rows if row.group == "publish" or row.title in _AT_REST]
    pictures = {
        "throughput": plots.bars([_bars(row) for row in rows if row.group in _THROUGHPUT]),
        "latency": plots.latencies(_curves(at_rest, "publish", "spool")),
        "feel": plots.latencies(_curves(rows, "feel")),
        "backlog": plots.lines(_curves(rows, "backlog"), "events that wait", "leave in a second"),
    }
    return {name: picture for name, picture in pictures.items() if picture}


def _bars(row: RowResult) -> plots.Bars:
    rates = [(way.label, way.measures[RATE].median) for way in row.ways if RATE in way.measures]
    return plots.Bars(row.title, rates)


def _write_block(name: str, found: Results) -> str:
    if name == "machine":
        return _describe_machine(found)
    if name == "summary":
        return _summarize(_in_order(found))
    return "\n\n".join(_write_row(row) for row in _in_order(found) if row.group == name)


def _describe_machine(found: Results) -> str:
    machine = found.machine
    packages = ", ".join(f"{name} {version}" for name, version in machine.packages.items())
    return (
        f"Measured on {machine.day}: {machine.processor}, {machine.cores} cores, "
        f"Python {machine.python}; {packages}."
    )


def _summarize(rows: list[RowResult]) -> str:
    lines = ["| path | event-brokers, events/s | beside it | ratio |", "|---|---:|---|---:|"]
    for row in rows:
        rates = {way.label: way.measures.get(RATE) for way in row.ways}
        for goal in row.goals[:1]:
            beside = goal.beside or OURS
            ours, other = rates.get(OURS), rates.get(beside)
            if goal.value is None or beside.startswith(OURS) or ours is None or other is None:
                continue
            cells = [
                row.title + (_MARK if row.quick else ""), number(ours.median),
                f"{beside}: {number(other.median)}", f"{goal.value:.2f}",
            ]  # fmt: skip
            lines.append(_line(cells))
    if any(_MARK in line for line in lines):
        lines += ["", f"{_MARK.strip()} in the short form of the benchmark"]
    return "\n".join(lines) if len(lines) > 2 else ""


def _write_row(row: RowResult) -> str:
    form = _QUICK if row.quick else ""
    heading = f"**{row.title}** ({row.length} a turn, {row.rounds} rounds{form})"
    if row.state != "measured":
        return f"{heading}\n\n{row.state}: {row.reason}"
    columns = columns_of(row)
    lines = [_line(["way", *columns]), _line(["---", *["---:"] * len(columns)])]
    for way in row.ways:
        cells = cells_of(way, columns)
        lines.append(_line([way.label, *([way.missing, *cells[1:]] if way.missing else cells)]))
    goals = [f"- {goal_in_words(goal)}" for goal in row.goals]
    return "\n".join([heading, "", *lines, "", *goals])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _curves(rows: list[RowResult], *groups: str) -> list[plots.Series]:
    """Return the curve of each way, under a name that tells it from the others."""
    found = [(row, way) for row in rows if row.group in groups for way in row.ways if way.curve]
    several = len({row.title for row, _ in found}) > 1
    return [
        plots.Series(f"{row.title}: {way.label}" if several else way.label, way.curve)
        for row, way in found
    ]


def _in_order(found: Results) -> list[RowResult]:
    titles = [row.title for row in ROWS]
    known = [row for row in found.rows if row.title in titles]
    return sorted(known, key=lambda row: titles.index(row.title))


if __name__ == "__main__":
    main()
