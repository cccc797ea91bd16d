"""What a run has proven of each plugin, and what not: some lines for the end of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

OF_CLASS = "event_brokers.conformance"  # a property of a test: the class that it belongs to
PROMISE = "event_brokers.promise"
NOT_PROVEN = "not proven, without "
_SKIPPED = "Skipped: "


@dataclass
class Proof:
    """What is known of one plugin.

    Attributes:
        promises: what each check proves, in the order of the run.
        proven: names of the checks that have passed.
        failed: names of those that have failed.
        off: those that are switched off -> why.
        without: what was lacking -> the promises that were not proven for that.
    """

    promises: dict[str, str] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    off: dict[str, str] = field(default_factory=dict)
    without: dict[str, list[str]] = field(default_factory=dict)

    def add(self, report: Any) -> None:
        """Add what pytest says of one phase of one test."""
        properties = dict(report.user_properties)
        self.promises[report.nodeid] = properties[PROMISE]
        if report.skipped and hasattr(report, "wasxfail"):
            self.off[report.nodeid] = report.wasxfail
        elif report.skipped:
            self.without.setdefault(_lacking(report), []).append(properties[PROMISE])
        elif report.failed:
            self.failed.add(report.nodeid)
        elif report.when == "call":
            self.proven.add(report.nodeid)

    def lines(self) -> Iterator[str]:
        """Yield the lines: the first one counts."""
        proven = self.proven - self.failed
        first = f"{len(proven)} of {len(self.promises)} proven"
        if self.failed:
            first += f", {len(self.failed)} failed"
        yield first
        for lacking, promises in self.without.items():
            yield f"  {lacking}:"
            yield from (f"    {promise}" for promise in dict.fromkeys(promises))
        for nodeid, reason in self.off.items():
            yield f"  switched off, {reason}:"
            yield f"    {self.promises[nodeid]}"


def _lacking(report: Any) -> str:
    """Return why a test was skipped: "without break_server", or what its own fixture says."""
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
    return str(reason).removeprefix(_SKIPPED).removeprefix(NOT_PROVEN.removesuffix("without "))


def summarize(reports: Iterable[Any]) -> Iterator[str]:
    """Yield what a run has proven, a few lines for each class of checks.

    Parameters:
        reports: pytest's, of all phases of all tests.
    """
    proofs: dict[str, Proof] = {}
    for report in reports:
        name = dict(report.user_properties).get(OF_CLASS)
        if name is not None:
            proofs.setdefault(name, Proof()).add(report)
    for name, proof in proofs.items():
        first, *others = proof.lines()
        yield f"{name}: {first}"
        yield from others
