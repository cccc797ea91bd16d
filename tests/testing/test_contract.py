"""The lines of the contract that a failed check quotes stand where it says."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pytest

from event_brokers.testing import conformance, contract
from event_brokers.testing.conformance import CHECKS

LINES = {name: line for name, line in vars(contract).items() if isinstance(line, contract.Line)}


def docstring(where: str) -> str:
    """Return the docstring of a module, class or function, in one line."""
    found: Any = None
    parts = where.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for name in parts[count:]:
            found = getattr(found, name)
        break
    return " ".join((inspect.getdoc(found) or "").split())


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
def test_every_line_stands_where_authors_read_it(line: contract.Line) -> None:
    """A quotation that is no longer in the contract is found."""
    assert line.text in docstring(line.where)


def test_every_line_is_held_by_a_check() -> None:
    """None is left over from a check that is gone."""
    modules = {inspect.getmodule(check) or contract for check in CHECKS.values()}
    text = "".join(inspect.getsource(module) for module in (*modules, conformance))
    assert not [name for name in LINES if not re.search(rf"\b{name}\b", text)]


def test_every_check_says_what_it_proves() -> None:
    """For the list at the end of a run."""
    from event_brokers.testing.check import described  # noqa: PLC0415

    promises = [found.promise for check in CHECKS.values() if (found := described(check))]
    assert len(set(promises)) == len(CHECKS)
    assert all(promise and not promise.endswith(".") for promise in promises)
