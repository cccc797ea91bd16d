"""Conformance, what a plugin's author subclasses: the answers, and every check of the kit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from event_brokers.testing.answers import unanswered
from event_brokers.testing.check import Check, described
from event_brokers.testing.checks.closing import ClosingChecks
from event_brokers.testing.checks.completeness import CompletenessChecks
from event_brokers.testing.checks.confirming import ConfirmingChecks
from event_brokers.testing.checks.connecting import ConnectingChecks
from event_brokers.testing.checks.consuming import ConsumingChecks
from event_brokers.testing.checks.delivery import DeliveryChecks
from event_brokers.testing.checks.frozen import FrozenChecks
from event_brokers.testing.checks.inspection import InspectionChecks
from event_brokers.testing.checks.metadata import MetadataChecks
from event_brokers.testing.checks.options import OptionChecks
from event_brokers.testing.checks.secrets import SecretChecks
from event_brokers.testing.checks.tls import TlsChecks
from event_brokers.testing.contract import RAISED, fail
from event_brokers.testing.hook_thread import DoesNotReturn, is_raised_by_hook
from event_brokers.testing.loading import load_plugin
from event_brokers.testing.report import NOT_PROVEN
from event_brokers.testing.subject import Subject
from event_brokers.wording import name_and_first_line

__all__ = ["CHECKS", "Conformance", "described", "fail_over", "is_raised_by_hook"]

_THEMES = (
    CompletenessChecks, MetadataChecks, OptionChecks, ConnectingChecks, TlsChecks, DeliveryChecks,
    ConfirmingChecks, SecretChecks, InspectionChecks, ConsumingChecks, ClosingChecks, FrozenChecks,
)  # fmt: skip
CHECKS: dict[str, Callable[..., None]] = {
    name: function
    for theme in _THEMES
    for name, function in vars(theme).items()
    if described(function) is not None
}
_NEVER_OFF = "test_no_check_is_left_out"


class Conformance(
    CompletenessChecks, MetadataChecks, OptionChecks, ConnectingChecks, TlsChecks, DeliveryChecks,
    ConfirmingChecks, SecretChecks, InspectionChecks, ConsumingChecks, ClosingChecks, FrozenChecks,
):  # fmt: skip
    """Proves of a plugin that it holds the contract.

    Subclass it in a test module, say the `type`, and answer `options` and `arrived`; the more of
    `Answers` is answered, the more is proven. A check that a broker cannot hold is switched off
    one by one::

        @pytest.mark.xfail(reason="the queue keeps nothing that was delivered")
        def test_a_new_group_begins_with_what_is_new(self): ...
    """

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        left_out = []
        for name, function in CHECKS.items():
            found = getattr(cls, name, None)
            if found is function or getattr(found, "__wrapped_check__", None) is function:
                continue
            reason = None if name == _NEVER_OFF else _reason_of_xfail(found)
            if reason is None:
                left_out.append(name)
            # the kit's own check runs in any case: what stands in its place proves nothing
            setattr(cls, name, function if reason is None else _switched_off(function, reason))
        cls.left_out = (*cls.left_out, *left_out)

    @pytest.fixture(autouse=True)
    def _conformance(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
        """Skip a check that lacks an answer, and close what it leaves open."""
        self.folder = tmp_path
        self.name = f"conformance_{uuid.uuid4().hex[:12]}"
        check = described(getattr(request.function, "__wrapped_check__", request.function))
        if check is not None:
            self._skip_what_is_not_answered(request.config, check)
        if check is not None and check.works_unloaded:
            yield
            return
        self.subject = self._load()
        if check is not None:
            self._skip_what_has_no_hook(check)
        try:
            yield
        finally:
            self.subject.end()

    def _skip_what_is_not_answered(self, config: pytest.Config, check: Check) -> None:
        lacking = [need for need in check.needs if unanswered(type(self), need)]
        if lacking:
            pytest.skip(f"{NOT_PROVEN}{' and '.join(lacking)}")
        if check.is_slow and config.getoption("--conformance-short"):
            pytest.skip(f"{NOT_PROVEN}waiting, in the short form")

    def _load(self) -> Subject:
        try:
            plugin = load_plugin(self.type, self.entry_point)
        except Exception:  # noqa: BLE001 - one check says what is wrong, all the others wait for it
            pytest.skip(f"{NOT_PROVEN}hooks that can be used")
        return Subject(plugin, self.hook_seconds, self.close_seconds)

    def _skip_what_has_no_hook(self, check: Check) -> None:
        for hook in check.hooks:
            if not self.subject.plugin.has(hook):
                pytest.skip(f"{NOT_PROVEN}the hook '{hook}'")


def fail_over(error: BaseException) -> None:
    """Fail a check that did not expect a hook to raise.

    Parameters:
        error: what it raised.
    """
    said = (
        str(error) if isinstance(error, DoesNotReturn) else f"raised {name_and_first_line(error)}"
    )
    fail(f"a hook {said}", RAISED)


def _reason_of_xfail(method: Any) -> str | None:
    for mark in getattr(method, "pytestmark", ()):
        reason = mark.kwargs.get("reason")
        if mark.name == "xfail" and isinstance(reason, str) and reason.strip():
            return reason
    return None


def _switched_off(function: Any, reason: str) -> Any:
    """Return the check, expected to fail: once it passes, it is to be switched on again."""
    copied: Any = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    copied.__dict__.update(function.__dict__)
    copied.__kwdefaults__ = function.__kwdefaults__
    copied.__doc__ = function.__doc__
    copied.__annotations__ = function.__annotations__
    copied.__wrapped_check__ = function
    mark = pytest.mark.xfail(reason=reason, strict=True)
    copied.pytestmark = [*getattr(function, "pytestmark", ()), mark.mark]
    return copied
