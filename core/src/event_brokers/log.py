"""The project's logger; what the application hangs on it can fail without harm to delivery."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from event_brokers.signal_handlers import is_from_signal_handler

_STACK_LEVEL = 2  # the caller's line, not this module's


class GuardedLogger:
    """Logs through a standard logger whose filters and handlers may raise.

    The application owns them. An error of theirs in the midst of delivery would end it, so it is
    told on standard error, once, by its class alone: its text may hold anything.

    Parameters:
        name: of the standard logger.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)
        self._has_complained = False

    def debug(self, text: str, *values: object) -> None:
        """Log what only a developer wants to see."""
        self.log(logging.DEBUG, text, *values, stack_level=_STACK_LEVEL + 1)

    def info(self, text: str, *values: object) -> None:
        """Log that something goes as it should."""
        self.log(logging.INFO, text, *values, stack_level=_STACK_LEVEL + 1)

    def warning(self, text: str, *values: object) -> None:
        """Log what may need a person."""
        self.log(logging.WARNING, text, *values, stack_level=_STACK_LEVEL + 1)

    def error(self, text: str, *values: object) -> None:
        """Log what needs a person."""
        self.log(logging.ERROR, text, *values, stack_level=_STACK_LEVEL + 1)

    def log(
        self,
        level: int,
        text: str,
        *values: object,
        stack_level: int = _STACK_LEVEL,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Log at a level of the standard library.

        Parameters:
            level: such as `logging.WARNING`.
            text: with a `%s` for each of the values.
            values: put into the text where it is shown.
            stack_level: how many calls above the standard logger the line of the record is.
            extra: attributes of the record.
        """
        try:
            self._logger.log(level, text, *values, stacklevel=stack_level, extra=extra)
        except BaseException as error:
            if is_from_signal_handler(error):
                raise
            self._complain(error)

    def _complain(self, error: BaseException) -> None:
        if self._has_complained:
            return
        self._has_complained = True
        with suppress(Exception):  # nobody is left to tell where standard error is closed
            print(  # noqa: T201 - the log itself is what does not work
                f"{self._logger.name}: a filter or handler of this logger raised "
                f"{type(error).__name__}; events are delivered all the same",
                file=sys.stderr,
            )


logger = GuardedLogger("event_brokers")
dead_letters_logger = GuardedLogger("event_brokers.dead_letters")
