"""Whether a distribution is built for this version of the core: its own requirements say so.

What `pip install --no-deps`, or a core that was upgraded later, puts together does not fit. Only
the numbers of releases are compared: a pre-release counts as the release that it comes before.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable
from typing import NamedTuple

from event_brokers.registrations import normal

CORE = "event-brokers"

_Release = tuple[int, ...]
# PEP 508, without a marker: what is needed under a condition says nothing of the core in general
_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[[^\]]*\])?\s*\(?([^;()@]*)\)?\s*")
_CLAUSE = re.compile(r"\s*(~=|===?|!=|<=|>=|<|>)\s*v?(\d+(?:\.\d+)*)(\.\*)?[^,]*")
_COMPARISONS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def range_of_core(requires: Iterable[str]) -> str | None:
    """Return the range in which a distribution wants the core, such as ">=0.1,<0.2".

    Parameters:
        requires: what the distribution needs, as its metadata says it.

    Returns:
        None where it names no range.
    """
    for text in requires:
        found = _REQUIREMENT.fullmatch(text)
        if found is not None and normal(found[1]) == CORE and found[2].strip():
            return ",".join(clause.strip() for clause in found[2].split(","))
    return None


def version_of_core() -> str | None:
    """Return the core's version; None where it is not installed, but only lies on the path."""
    import importlib_metadata  # noqa: PLC0415 - not needed before the first broker is made

    try:
        return importlib_metadata.version(CORE)
    except importlib_metadata.PackageNotFoundError:
        return None


def mismatch(wanted: str, present: str, distribution: str) -> str | None:
    """Return why a plugin does not fit the core, and the way out; None where it fits.

    Parameters:
        wanted: the range in which the plugin wants the core.
        present: the core's version.
        distribution: the plugin's, for the way out.
    """
    release = _release(present)
    broken = [clause for clause in _clauses(wanted) if not clause.allows(release)]
    if not broken:
        return None
    is_core_too_old = all(clause.lies_above(release) for clause in broken)
    upgraded = CORE if is_core_too_old else distribution
    return (
        f"is built for {CORE}{wanted}, and {present} is installed; pip install --upgrade {upgraded}"
    )


class _Clause(NamedTuple):
    """One bound, as PEP 440 has them.

    Attributes:
        comparison: such as ">=".
        bound: the release that it names.
        is_prefix: whether it ends in ".*".
    """

    comparison: str
    bound: _Release
    is_prefix: bool

    def allows(self, release: _Release) -> bool:
        """Return whether a release is inside of the bound."""
        if self.comparison == "~=":
            series = _Clause("==", self.bound[:-1], is_prefix=True)
            return not self.lies_above(release) and series.allows(release)
        if self.comparison in _COMPARISONS:
            return bool(_COMPARISONS[self.comparison](*_of_one_length(release, self.bound)))
        is_equal = self._is_equal(release)
        return not is_equal if self.comparison == "!=" else is_equal

    def lies_above(self, release: _Release) -> bool:
        """Return whether only a later release could be inside."""
        if self.comparison in ("<", "<=", "!="):
            return False
        one, other = _of_one_length(release, self.bound)
        return one < other or (one == other and self.comparison == ">")

    def _is_equal(self, release: _Release) -> bool:
        if not self.is_prefix:
            one, other = _of_one_length(release, self.bound)
            return one == other
        padded, _ = _of_one_length(release, self.bound)
        return padded[: len(self.bound)] == self.bound


def _clauses(wanted: str) -> list[_Clause]:
    found = (_CLAUSE.fullmatch(text) for text in wanted.split(","))
    return [_Clause(each[1], _release(each[2]), bool(each[3])) for each in found if each]


def _release(version: str) -> _Release:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(number) for number in found[0].split(".")) if found else ()


def _of_one_length(one: _Release, other: _Release) -> tuple[_Release, _Release]:
    length = max(len(one), len(other))
    return one + (0,) * (length - len(one)), other + (0,) * (length - len(other))
