"""Tells how delivery goes, to whoever asks, in whatever process."""

from __future__ import annotations

import time

import msgspec

from event_brokers.condition import Condition, Progress, State
from event_brokers.queues.protocol import DeliveryRight

_TELL_SECONDS = 1.0  # between two times that confirms are told: a file is written for each


class Report:
    """How one delivery goes; made and changed on its thread, but for `progress`.

    Parameters:
        right: where it is told.
    """

    def __init__(self, right: DeliveryRight) -> None:
        self._right = right
        self._condition = Condition(State.CONNECTING, since=time.time())
        self._progress = Progress()
        self._kept_up_at = -_TELL_SECONDS
        self._is_behind = self._has_begun = False

    @property
    def state(self) -> State:
        """What delivery is doing."""
        return self._condition.state

    @property
    def progress(self) -> Progress:
        """What the broker has confirmed lately."""
        return self._progress

    def begin(self) -> None:
        """Tell it as the process that delivers now, and go on from what the one before has told."""
        told = self._right.condition()
        if told is not None and told.progress.is_later_than(self._progress):
            self._progress = told.progress
        if not self._has_begun:
            self._has_begun = True
            self._condition = msgspec.structs.replace(self._condition, since=_since(told))
        self._tell()

    def note(self, state: State, sentence: str | None = None, delay: float | None = None) -> None:
        """Tell of another state.

        Parameters:
            state: what delivery is doing.
            sentence: why it is not connected.
            delay: seconds until it connects again.
        """
        now, before = time.time(), self._condition
        goes_on = (state is State.CONNECTED) == (before.state is State.CONNECTED)
        since = before.since if goes_on else now
        next_attempt = None if delay is None else now + delay
        self._condition = Condition(state, sentence, since, next_attempt, delay)
        self._tell()

    def confirmed(self, events: int) -> None:
        """Note that the broker has confirmed events.

        Parameters:
            events: how many.
        """
        if events:
            self._progress = self._progress.after(events, time.time())
            self._is_behind = True
            self.keep_up()

    def keep_up(self) -> None:
        """Tell of confirms that were not told yet, once a second at most."""
        if self._is_behind and time.monotonic() >= self._kept_up_at + _TELL_SECONDS:
            self._kept_up_at = time.monotonic()
            self._tell()

    def catch_up(self) -> None:
        """Tell of confirms that were not told yet."""
        if self._is_behind:
            self._tell()

    def _tell(self) -> None:
        self._is_behind = False
        self._right.note(msgspec.structs.replace(self._condition, progress=self._progress))


def _since(told: Condition | None) -> float:
    """Return since when it is not connected, for a process that begins to deliver now."""
    if told is None or told.since is None or told.state is State.CONNECTED:
        return time.time()
    return told.since
