"""Standard output in place of a file: it keeps nothing, and can be read by nobody else."""

from __future__ import annotations

import os
import select
from collections.abc import Sequence

from event_brokers.plugin import BrokerUnavailable, ConfigurationError, Event
from event_brokers_file.failures import system_reason
from event_brokers_file.line import to_line

DESCRIPTOR = 1
_PATIENCE_SECONDS = 10.0  # with whoever reads it

_ends_in_half_a_line = False  # there is one standard output, whoever is connected to it


class StandardOutput:
    """Writes lines to standard output.

    Parameters:
        with_ids: whether each line has the event's id.

    Raises:
        ConfigurationError: it is closed.
    """

    def __init__(self, with_ids: bool) -> None:
        self._with_ids = with_ids
        require_open()

    def publish(self, events: Sequence[Event]) -> None:
        """Write a batch, a line each.

        Raises:
            BrokerUnavailable: nobody reads it; says which of the events are written.
        """
        written: list[str] = []
        try:
            for event in events:
                _write_line(to_line(event, self._with_ids))
                written.append(event.id)
        except OSError as error:
            reason = f"standard output: {system_reason(error)}"
            raise BrokerUnavailable(reason, written) from error

    def close(self) -> None:
        """Leave standard output open: it is the program's."""


def require_open() -> None:
    """Look whether there is a standard output.

    Raises:
        ConfigurationError: there is none.
    """
    try:
        os.fstat(DESCRIPTOR)
    except OSError:
        raise ConfigurationError(
            "event_broker.path: '-' is standard output, which is closed; name a file"
        ) from None


def _write_line(line: bytes) -> None:
    global _ends_in_half_a_line
    rest = memoryview(b"\n" + line if _ends_in_half_a_line else line)
    while rest:
        # so much at once does not wait where there is room: poll(2), and pipe(7)
        rest = rest[_write_some(rest[: select.PIPE_BUF]) :]
        _ends_in_half_a_line = bool(rest)


def _write_some(piece: memoryview) -> int:
    waiting = select.poll()
    waiting.register(DESCRIPTOR, select.POLLOUT)
    if not waiting.poll(_PATIENCE_SECONDS * 1000):
        raise TimeoutError(None, "nobody reads it")
    return os.write(DESCRIPTOR, piece)
