"""No check is deleted, overridden or weakened: one is switched off by xfail, with a reason."""

from __future__ import annotations

from typing import ClassVar

import pytest

from event_brokers.testing.answers import (
    DEADLINE_OF_CLOSE,
    DEADLINE_OF_OTHER_HOOKS,
    Answers,
)
from event_brokers.testing.check import check

_MOST_IMPORT_SECONDS = 10.0


class CompletenessChecks(Answers):
    """No check is left out."""

    left_out: ClassVar[tuple[str, ...]] = ()

    @check(works_unloaded=True)
    def test_no_check_is_left_out(self) -> None:
        """Every check of the kit is there, with the deadlines of the contract."""
        if self.left_out:
            pytest.fail(
                f"{', '.join(self.left_out)}: deleted or overridden; a check is switched off by "
                '@pytest.mark.xfail(reason="...") on a method of its name',
                pytrace=False,
            )
        longest = {
            "hook_seconds": DEADLINE_OF_OTHER_HOOKS,
            "close_seconds": DEADLINE_OF_CLOSE,
            "import_seconds": _MOST_IMPORT_SECONDS,
        }
        for name, seconds in longest.items():
            if getattr(self, name) > seconds:
                pytest.fail(
                    f"{name}: is more than the {seconds:g} s of the contract", pytrace=False
                )
