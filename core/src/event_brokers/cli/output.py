"""What a command shows: lines for people, or one JSON document, never a secret.

All of it comes through here, so that nothing that was said in a conversation, or by a broker,
plays with the terminal: what is no printable character is shown as an escape.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import click

from event_brokers.cli.exit_codes import ExitCode
from event_brokers.secret import mask
from event_brokers.wording import printable, printable_json

DEAD_LETTERS = "event_brokers.dead_letters"  # the logger that gets one record per dead letter


def styled(text: str, **style: Any) -> str:
    """Return a text as a terminal may show it.

    Parameters:
        text: whatever somebody, or a broker, has said.
        style: as for `click.style`.
    """
    return click.style(printable(text), **style) if style else printable(text)


@dataclass
class Output:
    """Where a command writes.

    Attributes:
        as_json: whether standard output gets one JSON document in place of lines.
        debug: whether tracebacks and details are shown.
        secrets: texts that are shown as `***` from now on.
        document: what the JSON document will hold.
    """

    as_json: bool = False
    debug: bool = False
    secrets: list[str] = field(default_factory=list)
    document: dict[str, Any] = field(default_factory=dict)

    def say(self, text: str, **style: Any) -> None:
        """Write a line for people to standard output.

        Parameters:
            text: the line.
            style: as for `click.style`.
        """
        if not self.as_json:
            click.echo(styled(self.masked(text), **style))

    def say_json(self, text: str, **style: Any) -> None:
        """Write JSON for people to standard output, so that it stays JSON.

        Parameters:
            text: the JSON, of one line or more.
            style: as for `click.style`.
        """
        for line in printable_json(self.masked(text)).split("\n"):
            self.say(line, **style)

    def warn(self, text: str) -> None:
        """Write a line to standard error."""
        click.echo(styled(self.masked(text)), err=True)

    def warn_of(self, error: BaseException) -> None:
        """Write a traceback to standard error, indented: its text may hold lines of its own."""
        for line in self.masked("".join(traceback.format_exception(error))).splitlines():
            self.warn(f"  {line}")

    def fail(self, error: BaseException, text: str) -> None:
        """Write what went wrong to standard error, and note it in the document.

        Parameters:
            error: shown with its traceback for `--debug`.
            text: the sentence.
        """
        if self.debug:
            self.warn_of(error)
        self.warn(f"Error: {text}")
        self.document["error"] = self.masked(text)

    def finish(self, code: int) -> None:
        """Write the JSON document, if one is wanted.

        Parameters:
            code: how the program ends; the document tells it, and its name.
        """
        if not self.as_json:
            return
        names = {int(known): known.name for known in ExitCode}
        self.document |= {"exit_code": int(code), "exit_name": names.get(code)}
        click.echo(printable_json(json.dumps(self.document, indent=2, ensure_ascii=False)))

    def masked(self, text: str) -> str:
        """Return the text with `***` for every secret."""
        return mask(text, self.secrets)


@contextmanager
def log_to(output: Output) -> Iterator[None]:
    """Send the core's warnings, such as a lost connection, to standard error, a line each.

    `--debug` adds what is less than a warning, and what client libraries log, which otherwise
    would say once more what the core has said in words.
    """
    core, root = logging.getLogger("event_brokers"), logging.getLogger()
    handler, level = _Handler(output), core.level
    core.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        core.setLevel(level)


class _Handler(logging.Handler):
    """Writes log records as lines; asks the output each time, for `--debug` is read late."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        if not (self._output.debug or self._is_for_users(record)):
            return
        self._output.warn(record.getMessage())
        if record.exc_info and record.exc_info[1]:
            self._output.warn_of(record.exc_info[1])

    def _is_for_users(self, record: logging.LogRecord) -> bool:
        # dead letters are listed when the command ends, and then not a million of them
        of_core = record.name.partition(".")[0] == "event_brokers"
        return of_core and record.levelno >= logging.WARNING and record.name != DEAD_LETTERS
