"""The process of one turn: python -m benchmarks.turn MODULE, with the task on standard input.

The program is a module with a function `run`, from a Task to Figures. What it says on standard
output is one JSON object a line: what it asks of the process that started it, and its figures or
why there are none.
"""

from __future__ import annotations

import sys
import traceback
from importlib import import_module

import msgspec

from benchmarks.task import Failure, Figures, Request, Task


def ask(what: str) -> None:
    """Let the process that started this one do something with the server, and wait until it has.

    Parameters:
        what: `kill` or `recover`.
    """
    _say(Request(what))
    sys.stdin.readline()


def main() -> None:
    """Run one program."""
    task = msgspec.json.decode(sys.stdin.readline(), type=Task)
    try:
        found: Figures | Failure = import_module(sys.argv[1]).run(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
        traceback.print_exc()
        found = Failure(f"{type(error).__name__}: {error}")
    _say(found)


def _say(message: msgspec.Struct) -> None:
    sys.stdout.write(msgspec.json.encode(message).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
