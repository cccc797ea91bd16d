"""What the installed distributions register in a group of entry points, however broken others are.

`importlib_metadata.entry_points` raises where the metadata of any one distribution cannot be read,
whatever that has to do with us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from event_brokers.wording import name_and_first_line

if TYPE_CHECKING:
    from importlib_metadata import Distribution, EntryPoint


@dataclass(frozen=True)
class Registration:
    """One entry point, and the distribution that it belongs to.

    Attributes:
        name: what it is registered as.
        value: "module" or "module:object".
        distribution: the distribution's name.
        version: that distribution's version; empty where it has none.
        summary: one line on what the distribution is; empty where it has none.
        requires: what the distribution needs, as its metadata says it.
        problem: why the distribution's metadata cannot be used, a clause; None where it can.
    """

    name: str
    value: str
    distribution: str
    version: str
    summary: str
    requires: tuple[str, ...]
    problem: str | None
    _entry: EntryPoint

    @property
    def module(self) -> str:
        """The module that is imported."""
        return self.value.partition(":")[0].strip()

    def load(self) -> Any:
        """Import what is registered; raises whatever that raises."""
        return self._entry.load()

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".rstrip()


def registrations(group: str, name: str | None = None) -> list[Registration]:
    """Return what is registered in a group, each once: the first on the path hides the others.

    Parameters:
        group: of entry points.
        name: what it is registered as, in any case, where only that is wanted: the metadata of a
            distribution takes longer to read than its entry points.
    """
    found: dict[tuple[str, str], Registration] = {}
    wanted = None if name is None else name.casefold()
    for distribution in _distributions():
        entries, _ = _entries(distribution)
        for entry in entries:
            if entry.group == group and wanted in (None, entry.name.casefold()):
                registration = _registration(entry, distribution)
                key = (entry.name.casefold(), normal(registration.distribution))
                found.setdefault(key, registration)
    return list(found.values())


def unreadable() -> list[tuple[str, str]]:
    """Return each distribution whose entry points cannot be read, and why: it may be a plugin."""
    found = ((distribution, _entries(distribution)[1]) for distribution in _distributions())
    return [(_described(distribution).name, problem) for distribution, problem in found if problem]


def normal(name: str) -> str:
    """Return the one form of a distribution's name: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _distributions() -> Iterable[Distribution]:
    import importlib_metadata  # noqa: PLC0415 - not needed before the first broker is made

    found: Iterable[Distribution] = importlib_metadata.Distribution.discover()
    return found


def _entries(distribution: Distribution) -> tuple[list[EntryPoint], str | None]:
    try:
        return list(distribution.entry_points), None
    except Exception as error:  # noqa: BLE001 - it is told where somebody misses a type
        return [], f"its entry points cannot be read: {name_and_first_line(error)}"


def _registration(entry: EntryPoint, distribution: Distribution) -> Registration:
    told = _described(distribution)
    return Registration(
        name=entry.name,
        value=entry.value,
        distribution=told.name,
        version=told.version,
        summary=told.summary,
        requires=told.requires,
        problem=told.problem,
        _entry=entry,
    )


@dataclass(frozen=True)
class _Described:
    """What a distribution says of itself; `problem` where that cannot be read."""

    name: str
    version: str = ""
    summary: str = ""
    requires: tuple[str, ...] = ()
    problem: str | None = None


def _described(distribution: Distribution) -> _Described:
    try:
        metadata = distribution.metadata
        name, version = metadata.get("Name"), metadata.get("Version")
        if name and version:
            # of an egg-info they stand in a file of their own
            requires = tuple(metadata.get_all("Requires-Dist") or distribution.requires or ())
            return _Described(name, version, metadata.get("Summary") or "", requires)
        reason = "it has no name or no version"
    except Exception as error:  # noqa: BLE001 - it is told where the plugin is chosen or listed
        reason = name_and_first_line(error)
    where = f"a distribution in {distribution.locate_file('')}"
    problem = f"its metadata cannot be read: {reason}; install it again"
    return _Described(where, problem=problem)
