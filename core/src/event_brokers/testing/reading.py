"""What a plugin's hook `consume` yields, asked for on a thread of its own, each with a deadline."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any

from event_brokers.event import ReceivedEvent
from event_brokers.plugins import Plugin
from event_brokers.testing.hook_thread import DoesNotReturn, HookThread


class Reading:
    """One call of the hook `consume`.

    Parameters:
        plugin: which is checked.
        options: as the core hands them to it.
        group: of consumers; None only looks on.
        from_start: whether a new group begins with the oldest event.
        seconds: that connecting, and each turn, may take.
    """

    def __init__(
        self, plugin: Plugin, options: Any, group: str | None, from_start: bool, seconds: float
    ) -> None:
        self._seconds = seconds
        self._thread = HookThread()
        self._received: Generator[ReceivedEvent | None, None, None] = self._thread.call(
            lambda: plugin.hook.consume(
                options=options, group=group, from_start=from_start, used=set()
            ),
            seconds,
        )
        self._is_closed = False

    def turn(self, seconds: float | None = None) -> ReceivedEvent | None:
        """Acknowledge the event before, and return what comes next; None where nothing has come.

        Parameters:
            seconds: that it may take; as long as other hooks where None.

        Raises:
            DoesNotReturn: it took longer.
            Exception: what the hook raises.
        """
        return self._thread.call(lambda: next(self._received), seconds or self._seconds)

    def take(self, count: int, seconds: float) -> list[ReceivedEvent]:
        """Return the next events, as many as come in time.

        The last of them is not acknowledged.

        Parameters:
            count: of events.
            seconds: to wait for all of them.
        """
        taken: list[ReceivedEvent] = []
        deadline = time.monotonic() + seconds
        while len(taken) < count and time.monotonic() < deadline:
            received = self.turn()
            if received is not None:
                taken.append(received)
        return taken

    def close(self) -> None:
        """Close the generator; raises what it raises, or DoesNotReturn."""
        self._is_closed = True
        self._thread.call(self._received.close, self._seconds)

    def end(self) -> None:
        """Close the generator unless that was done, and end its thread."""
        if not self._is_closed and not self._thread.is_stuck:
            with suppress(Exception):
                self.close()
        self._thread.end()


__all__ = ["DoesNotReturn", "Reading"]
