"""How a command ends: the codes of sysexits.h, by name, also where `os` does not know them."""

from __future__ import annotations

from enum import IntEnum

from event_brokers.errors import (
    BrokerUnavailable,
    ConfigurationError,
    EventBrokersError,
    InvalidEvent,
    QueueFull,
    RejectedEvents,
    SpoolError,
    UndeliveredEvents,
)


class ExitCode(IntEnum):
    """The names and numbers of sysexits.h."""

    EX_OK = 0
    EX_USAGE = 64
    EX_DATAERR = 65
    EX_NOINPUT = 66
    EX_UNAVAILABLE = 69
    EX_SOFTWARE = 70
    EX_IOERR = 74
    EX_TEMPFAIL = 75
    EX_CONFIG = 78


MEANINGS = {
    ExitCode.EX_OK: "all is well",
    ExitCode.EX_USAGE: "the command was given wrongly",
    ExitCode.EX_DATAERR: "a line is not an event, the broker refuses it, or an id is unknown",
    ExitCode.EX_NOINPUT: "a file cannot be read; nothing was sent",
    ExitCode.EX_UNAVAILABLE: "the broker or something installed does not work",
    ExitCode.EX_SOFTWARE: "a bug; --debug shows where",
    ExitCode.EX_IOERR: "the spool cannot be used, or nobody reads the output",
    ExitCode.EX_TEMPFAIL: "events were not delivered; try again later",
    ExitCode.EX_CONFIG: "endpoints.yml or the broker must be changed first",
}

_CODES: tuple[tuple[type[EventBrokersError], ExitCode], ...] = (
    (ConfigurationError, ExitCode.EX_CONFIG),
    (BrokerUnavailable, ExitCode.EX_UNAVAILABLE),
    (InvalidEvent, ExitCode.EX_DATAERR),
    (RejectedEvents, ExitCode.EX_DATAERR),
    (QueueFull, ExitCode.EX_TEMPFAIL),
    (SpoolError, ExitCode.EX_IOERR),
    (UndeliveredEvents, ExitCode.EX_TEMPFAIL),
)


class CommandFailed(EventBrokersError):
    """A command cannot go on.

    Parameters:
        message: one lower-case clause without a full stop.
        code: how the program ends.
    """

    def __init__(self, message: str, code: ExitCode) -> None:
        super().__init__(message)
        self.code = code


def exit_code(error: EventBrokersError) -> ExitCode:
    """Return the code that says what an error means to whoever called the program."""
    if isinstance(error, CommandFailed):
        return error.code
    matches = (code for kind, code in _CODES if isinstance(error, kind))
    return next(matches, ExitCode.EX_SOFTWARE)


def listing() -> str:
    """Return every code, its name and its meaning, a line each."""
    lines = [f"{code:>5}  {code.name:<15} {text}" for code, text in MEANINGS.items()]
    signals = "  128+  signal number   ended by Ctrl-C (130) or SIGTERM (143)"
    return "\n".join([*lines, signals])
