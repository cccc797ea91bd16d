"""The command `event-brokers`, which needs click and rich: the extra `event-brokers[cli]`.

Public for commands of other distributions, those of the group `event_brokers.commands`: the modules
`arguments`, `exit_codes`, `open_spool`, `outcome`, `output` and `stop_signals`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

from event_brokers.cli.exit_codes import ExitCode

_NEEDS = ("click", "rich")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and end the program with its exit code.

    Parameters:
        arguments: the words after `event-brokers`; those of the program if None.

    Raises:
        SystemExit: always; its code is one of `ExitCode`, or 128 and the signal's number.
    """
    if any(find_spec(name) is None for name in _NEEDS):
        sys.stderr.write(
            'the command line needs click and rich; pip install "event-brokers[cli]"\n'
        )
        sys.exit(ExitCode.EX_UNAVAILABLE)
    from event_brokers.cli.program import run  # noqa: PLC0415 - what it imports may be missing

    sys.exit(run(sys.argv[1:] if arguments is None else arguments))
