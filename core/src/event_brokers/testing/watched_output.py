"""Everything that a plugin says while it works: logs at every level, warnings, both outputs."""

from __future__ import annotations

import io
import logging
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class WatchedOutput:
    """What was said, and where."""

    def __init__(self) -> None:
        self._said: list[tuple[str, str]] = []

    def add(self, where: str, text: str) -> None:
        """Add what was said.

        Parameters:
            where: in words: "the log of 'pika'".
            text: what was said there.
        """
        self._said.append((where, text))

    def add_error(self, where: str, error: BaseException) -> None:
        """Add an error, with all those behind it and their tracebacks."""
        self.add(
            where, "".join(traceback.format_exception(type(error), error, error.__traceback__))
        )
        self.add(where, repr(error))

    def where(self, text: str) -> list[str]:
        """Return where a text was said, each place once."""
        return list(dict.fromkeys(where for where, said in self._said if text in said))


class _Handler(logging.Handler):
    def __init__(self, output: WatchedOutput) -> None:
        super().__init__(logging.NOTSET)
        self._output = output
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001 - a client's mistake in a log line is not what is checked
            text = f"{record.msg} {record.args}"
        self._output.add(f"the log of '{record.name}'", text)


@contextmanager
def watch_output() -> Iterator[WatchedOutput]:
    """Hear what every logger says, at every level, and what is printed or warned of."""
    output = WatchedOutput()
    root, handler = logging.getLogger(), _Handler(output)
    levels = {logger: logger.level for logger in _loggers()}
    printed, complained = io.StringIO(), io.StringIO()
    for logger in levels:
        logger.setLevel(logging.DEBUG)
    root.addHandler(handler)
    try:
        with (
            redirect_stdout(printed),
            redirect_stderr(complained),
            warnings.catch_warnings(record=True) as warned,
        ):
            warnings.simplefilter("always")
            yield output
        for warning in warned:
            output.add("a warning", str(warning.message))
    finally:
        root.removeHandler(handler)
        for logger, level in levels.items():
            logger.setLevel(level)
        output.add("standard output", printed.getvalue())
        output.add("standard error", complained.getvalue())


def _loggers() -> list[logging.Logger]:
    known: list[Any] = list(logging.Logger.manager.loggerDict.values())
    return [logging.getLogger(), *(each for each in known if isinstance(each, logging.Logger))]
