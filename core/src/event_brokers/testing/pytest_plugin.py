"""The part of the conformance kit that pytest loads by itself: idle where no check is collected."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Generator
from typing import Any

import pytest

from event_brokers.testing.report import OF_CLASS, PROMISE, summarize

_KIT = "event_brokers.testing.conformance"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the short form."""
    parser.getgroup("event-brokers").addoption(
        "--conformance-short",
        action="store_true",
        help="leave out the checks of a broker's plugin that wait, as for its deadlines",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Note of each check what it proves, and refuse a class that is switched off as a whole.

    Raises:
        UsageError: a class of checks is marked as expected to fail.
    """
    kit: Any = sys.modules.get(_KIT)
    if kit is None:
        return
    for item in items:
        answers: Any = getattr(item, "cls", None)
        if not (isinstance(answers, type) and issubclass(answers, kit.Conformance)):
            continue
        check = kit.described(getattr(item, "function", None))
        if check is None:
            continue
        if any(mark.name == "xfail" for node in item.listchain()[:-1] for mark in node.own_markers):
            raise pytest.UsageError(
                f"{answers.__name__}: is marked as expected to fail; mark checks, one by one"
            )
        served: Any = answers
        name = f"{item.nodeid.partition('::')[0]}::{served.__name__} (type '{served.type}')"
        item.user_properties += [(OF_CLASS, name), (PROMISE, check.promise)]


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Say in one sentence what a hook has raised; where, stands below it."""
    kit: Any = sys.modules.get(_KIT)
    if kit is None or OF_CLASS not in dict(pyfuncitem.user_properties):
        return (yield)
    try:
        return (yield)
    except Exception as error:
        if not kit.is_raised_by_hook(error):
            raise
        pyfuncitem.add_report_section("call", "hook", "".join(traceback.format_exception(error)))
        kit.fail_over(error)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """List what was proven, and what not."""
    reports = [each for of_kind in terminalreporter.stats.values() for each in of_kind]
    lines = list(summarize(each for each in reports if isinstance(each, pytest.TestReport)))
    if lines:
        terminalreporter.section("event-brokers conformance")
        for line in lines:
            terminalreporter.write_line(line)
