"""What OTLP cannot carry of an application's values: counted, and told once for each reason."""

from __future__ import annotations

from collections.abc import Callable


class NotCarried(Exception):
    """OTLP has no place for a value; the text is the reason, without the value."""


class Losses:
    """Takes note of what an event does not carry.

    Parameters:
        remark: logs a sentence once.
    """

    def __init__(self, remark: Callable[[str], None]) -> None:
        self._remark = remark

    def left_out(self, reason: str) -> None:
        """Note that something is left out.

        Parameters:
            reason: what it is, without its value.
        """
        self._remark(f"OTLP cannot carry {reason}, which is left out; more of it is not told")

    def changed(self, reason: str, instead: str) -> None:
        """Note that something is carried as something else.

        Parameters:
            reason: what it is, without its value.
            instead: what stands for it.
        """
        self._remark(f"OTLP cannot carry {reason}: {instead} stands for it; more is not told")
