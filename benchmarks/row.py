"""What a row of the benchmark is: the ways that take turns, and what is to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

OURS = "event-brokers"
RATE, CPU, PEAK = "events/s", "CPU us/event", "peak MB"


@dataclass(frozen=True)
class Way:
    """One way to do it.

    Attributes:
        label: what a reader knows it by.
        program: the module that does it, in a process of its own: see `benchmarks.ways`.
        settings: what the program is told beside where to.
        needs: the package without which it cannot be measured; None where nothing is missing ever.
        place: where its events go, where that is another place than the row's.
        share: of the row's events that it is given; a slow peer needs fewer for its figure.
        numbered: whether what arrives carries the numbers of what was sent.
        may_repeat: whether an event may arrive twice: a broker is killed meanwhile.
        checkout: another checkout of this repository, whose code is measured instead of this one's.
    """

    label: str
    program: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    needs: str | None = None
    place: str | None = None
    share: float = 1.0
    numbered: bool = True
    may_repeat: bool = False
    checkout: Path | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is event-brokers that is measured."""
        return self.label.startswith(OURS)

    def at(self, checkout: Path) -> Way:
        """Return the same with the code of another checkout."""
        return replace(self, label=f"{self.label} at {checkout}", checkout=checkout)


@dataclass(frozen=True)
class Goal:
    """What a row is to reach: a measure of a way, alone or as a multiple of another one.

    Attributes:
        measure: its name among those of the way.
        relation: whether the bound is the least or the most that is good.
        bound: a multiple where `beside` or `beside_measure` is given, or in the measure's unit.
        way: the label of the way.
        beside: the label of the way it is a multiple of; the same way unless given.
        beside_measure: the measure that it is a multiple of; the same measure unless given.
    """

    measure: str
    relation: Literal["at least", "at most"]
    bound: float
    way: str = OURS
    beside: str | None = None
    beside_measure: str | None = None

    @property
    def is_multiple(self) -> bool:
        """Whether the bound says how many times another figure it is."""
        return (self.beside, self.beside_measure) != (None, None)

    def __str__(self) -> str:
        """The goal in words, without the way where that is ours."""
        whose = "" if self.way == OURS else f"{self.way}: "
        if not self.is_multiple:
            return f"{whose}{self.measure} {self.relation} {self.bound:g}"
        other = " of ".join(filter(None, (self.beside_measure, self.beside)))
        return f"{whose}{self.measure} {self.relation} {self.bound:g} x {other}"

    def is_met(self, value: float) -> bool:
        """Return whether a value is good enough."""
        return value >= self.bound if self.relation == "at least" else value <= self.bound


@dataclass(frozen=True)
class Length:
    """How long a row is measured.

    Attributes:
        events: of each turn, or what the programs count in instead: seconds, calls.
        rounds: turns of each way.
        warm_up: events before the figure.
    """

    events: int
    rounds: int
    warm_up: int = 0


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes:
        group: the name by which somebody asks for it, with its siblings.
        title: what is measured.
        place: where events go: a name of `benchmarks.places`.
        ways: they take turns in this order.
        goals: what is to be reached.
        full: how long it is measured.
        quick: how long with --quick.
        counted_in: what the length counts.
    """

    group: str
    title: str
    place: str
    ways: tuple[Way, ...]
    goals: tuple[Goal, ...]
    full: Length
    quick: Length
    counted_in: str = "events"

    def beside(self, checkout: Path) -> Row:
        """Return the row with the code of another checkout in turns with this one's."""
        ways = (way for each in self.ways for way in (each, each.at(checkout)))
        return replace(self, ways=tuple(way for way in ways if way.checkout is None or way.is_ours))
