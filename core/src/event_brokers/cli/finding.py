"""One thing that `event-brokers doctor` has looked at, and what it means."""

from __future__ import annotations

from enum import IntEnum

import msgspec

from event_brokers.cli.exit_codes import ExitCode


class Verdict(IntEnum):
    """What a finding means, worst first."""

    WRONG = 0
    WARNING = 1
    OK = 2


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at.

    Attributes:
        verdict: whether something is to be done.
        subject: what was looked at, a word or two.
        text: a clause.
        code: how the command ends where it is wrong.
    """

    verdict: Verdict
    subject: str
    text: str
    code: ExitCode = ExitCode.EX_OK
