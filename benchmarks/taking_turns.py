"""Measures one row: its ways take turns, what has arrived is looked at, then the figures count."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmarks import arrival, places
from benchmarks.one_turn import TurnFailed, run_turn
from benchmarks.places.stand_ins import write_plugins
from benchmarks.results import GoalResult, RowResult, WayResult, spread
from benchmarks.row import Goal, Length, Row, Way
from benchmarks.task import Figures, Task

Rounds = dict[str, list[Figures]]


@dataclass(frozen=True)
class Workshop:
    """Where rows are measured.

    Attributes:
        folder: on a disk, for what the turns leave.
        plugins: a folder with the plugins that stand in for brokers.
        places: those that are open, by their names.
    """

    folder: Path
    plugins: Path
    places: Mapping[str, places.Place]


@contextmanager
def workshop(names: set[str]) -> Iterator[Workshop]:
    """Open some places, and a folder beside this working directory, where files are on a disk.

    Parameters:
        names: of the places.
    """
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix=".bench-", dir=".")))
        plugins = folder.absolute() / "plugins"
        write_plugins(plugins)
        found = {name: opened.enter_context(places.opened(name)) for name in sorted(names)}
        yield Workshop(folder.absolute(), plugins, found)


def measure(
    row: Row, length: Length, there: Workshop, tell: Callable[[str], None] = lambda _: None
) -> RowResult:
    """Measure a row; where a turn fails, or not all has arrived as sent, there are no figures.

    Parameters:
        row: what is measured.
        length: for how long, one of the two that the row has.
        there: where; its places are open.
        tell: is told which turn begins.
    """
    absent = {way.label: needs for way in row.ways if (needs := _missing(way)) is not None}
    present = [way for way in row.ways if way.label not in absent]
    rounds: Rounds = {way.label: [] for way in present}
    try:
        for number in range(length.rounds):
            for way in present:
                tell(f"{row.title}: {way.label}, {number + 1} of {length.rounds}")
                rounds[way.label].append(_take_turn(row, way, length, there))
    except (TurnFailed, arrival.NotAsSent) as error:
        reason = f"{way.label}: {error}"
        return RowResult(**_describe(row, length), state="failed", reason=reason)
    ways = [_result(way, rounds.get(way.label), absent.get(way.label)) for way in row.ways]
    goals = [_reach(goal, rounds) for goal in row.goals]
    return RowResult(**_describe(row, length), state="measured", ways=ways, goals=goals)


def report_missing(row: Row, length: Length, reason: str) -> RowResult:
    """Return the result of a row whose server is not here."""
    return RowResult(**_describe(row, length), state="missing", reason=reason)


def _take_turn(row: Row, way: Way, length: Length, there: Workshop) -> Figures:
    place = there.places[way.place or row.place]
    with tempfile.TemporaryDirectory(dir=there.folder) as name:
        folder = Path(name)
        count = max(1, int(length.events * way.share))
        task = Task(place.empty(folder), count, length.warm_up, name, dict(way.settings))
        found = run_turn(way, task, there.plugins, place.server)
        if found.sent is not None:
            _look(way, place.read(folder), found.sent)
    return found


def _look(way: Way, bodies: Iterator[bytes | str], sent: int) -> None:
    if not way.numbered:
        arrival.count(bodies, sent)
        return
    events = arrival.read(bodies)
    arrival.check(arrival.drop_repeats(events) if way.may_repeat else events, sent)


def _missing(way: Way) -> str | None:
    if way.needs is None or find_spec(way.needs) is not None:
        return None
    return f"{way.needs} is not installed; pip install -r benchmarks/requirements.txt"


def _result(way: Way, found: list[Figures] | None, missing: str | None) -> WayResult:
    if not found:
        return WayResult(way.label, missing=missing)
    measures = {name: spread([each.measures[name] for each in found]) for name in found[0].measures}
    return WayResult(way.label, measures, found[-1].curve)


def _reach(goal: Goal, rounds: Rounds) -> GoalResult:
    ours, others = rounds.get(goal.way), rounds.get(goal.beside or goal.way)
    if not ours or not others:
        return GoalResult(str(goal), None, goal.is_multiple, None, goal.beside)
    values = [each.measures[goal.measure] for each in ours]
    if goal.is_multiple:
        # of the same round, for both drift together
        name = goal.beside_measure or goal.measure
        values = [value / other.measures[name] for value, other in zip(values, others, strict=True)]
    value = statistics.median(values)
    return GoalResult(str(goal), value, goal.is_multiple, goal.is_met(value), goal.beside)


def _describe(row: Row, length: Length) -> dict[str, Any]:
    return {
        "group": row.group, "title": row.title, "quick": length is row.quick,
        "rounds": length.rounds, "length": f"{length.events:,} {row.counted_in}",
    }  # fmt: skip
