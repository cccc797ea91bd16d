"""The command: python -m benchmarks [NAME...] [--quick] [--json FILE]."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import msgspec

from benchmarks import machine, places, results
from benchmarks.results import Results, RowResult
from benchmarks.row import Length, Row
from benchmarks.rows import GROUPS, ROWS
from benchmarks.table import show
from benchmarks.taking_turns import measure, report_missing, workshop


def main() -> int:
    """Measure what is asked for; return 1 where something did not arrive as it was sent."""
    given = _parse()
    kept = Results(machine.describe(), given.rows)
    failed = False
    rows = [row for row in ROWS if row.group in given.names]
    if given.beside:
        rows = [row.beside(given.beside) for row in rows]
    for found in _measure(rows, given):
        show(found)
        failed |= found.state == "failed"
        kept = kept.with_row(found)
        if given.json:
            results.write(kept, given.json)
    return int(failed)


def _measure(rows: Sequence[Row], given: argparse.Namespace) -> Iterator[RowResult]:
    """Measure rows; those that follow one another at one server share it."""
    for place, shared in groupby(rows, key=lambda row: row.place):
        siblings = list(shared)
        if (reason := places.missing(place)) is not None:
            yield from (report_missing(row, _length(row, given), reason) for row in siblings)
            continue
        names = {way.place or row.place for row in siblings for way in row.ways}
        with workshop(names) as there:
            yield from (measure(row, _length(row, given), there, _tell) for row in siblings)


def _length(row: Row, given: argparse.Namespace) -> Length:
    return row.quick if given.quick else row.full


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures event-brokers beside what somebody would use instead.",
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"{', '.join(GROUPS)}; all of them unless given"
    )
    parser.add_argument("--quick", action="store_true", help="in a short form, which says less")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="keep the figures, beside other rows it has"
    )
    parser.add_argument(
        "--beside", type=Path, metavar="FOLDER", help="another checkout, whose code takes turns too"
    )
    given = parser.parse_args()
    if unknown := sorted({*given.names} - {*GROUPS}):
        parser.error(f"no row is named {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    given.names = given.names or list(GROUPS)
    try:
        given.rows = results.read(given.json).rows if given.json and given.json.exists() else []
    except msgspec.DecodeError:
        parser.error(f"'{given.json}' holds something else than figures; name another file")
    return given


def _tell(turn: str) -> None:
    sys.stderr.write(f"{turn}\n")


if __name__ == "__main__":
    sys.exit(main())
