"""Hands the lines of files to a broker, as fast as it has room for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from event_brokers.broker import EventBroker
from event_brokers.cli import json_lines
from event_brokers.cli.exit_codes import CommandFailed, ExitCode
from event_brokers.cli.json_lines import Line
from event_brokers.cli.output import Output
from event_brokers.cli.patience import STEP_SECONDS, Patience
from event_brokers.cli.progress import Progress
from event_brokers.cli.stop_signals import Stopped, StopSignals
from event_brokers.errors import InvalidEvent, QueueFull

_BATCH_EVENTS = 256  # of files: a spool stores them with one commit


class Feed:
    """Publishes what can be published, and names every line that cannot.

    Parameters:
        broker: takes the events.
        output: is told which lines are bad.
        signals: one of them ends it.
        bar: shows how far it is.
        timeout: seconds to wait for room while no event leaves.

    Attributes:
        bad_lines: how many lines could not be published.
    """

    def __init__(
        self,
        broker: EventBroker,
        output: Output,
        signals: StopSignals,
        bar: Progress,
        timeout: float,
    ) -> None:
        self._broker = broker
        self._output = output
        self._signals = signals
        self._bar = bar
        self._timeout = timeout
        self.bad_lines = 0

    def run(self, files: Sequence[str]) -> None:
        """Publish every line, until the end, a signal, or a broker that makes no room.

        Parameters:
            files: paths; `-` is standard input.

        Raises:
            CommandFailed: a file cannot be read any more; there was no room, and no event left,
                for the time of the timeout.
            SpoolError: the spool cannot be written.
        """
        # what comes through a pipe may come slowly, and then each line is published at once
        size = 1 if json_lines.total_bytes(files) is None else _BATCH_EVENTS
        lines = json_lines.read(files)
        while batch := self._next(lines, size):
            self._publish(batch)
            self._bar.read(sum(len(line.content) for line in batch))

    def _next(self, lines: Iterator[Line], size: int) -> list[Line]:
        """Return the next lines; none at the end, and none after a signal."""
        batch: list[Line] = []
        try:
            with self._signals.interruptible():
                for line in lines:
                    batch.append(line)
                    if len(batch) == size:
                        break
        except Stopped:
            return []
        return batch

    def _publish(self, lines: Sequence[Line]) -> None:
        good = [line for line in lines if not line.is_blank()]
        try:
            self._accept([line.event() for line in good])
        except (InvalidEvent, QueueFull):
            for line in good:
                self._publish_alone(line)

    def _publish_alone(self, line: Line) -> None:
        try:
            self._accept([line.event()])
        except (InvalidEvent, QueueFull) as error:
            self.bad_lines += 1
            self._output.warn(f"{line.place}: {error}")

    def _accept(self, events: Sequence[dict[str, Any]]) -> None:
        """Publish all or none, as soon as there is room.

        Raises:
            InvalidEvent: one of them cannot be published.
            QueueFull: there is no room for them where nothing else waits.
        """
        patience = Patience(self._timeout, self._signals)
        while True:
            try:
                return self._publish_now(events)
            except QueueFull as error:
                status = self._broker.flush(STEP_SECONDS)
                self._bar.show(status)
                if not status.pending:
                    return self._publish_now(events)
                if patience.is_over(status):
                    raise CommandFailed(f"gave up: {error}", ExitCode.EX_TEMPFAIL) from error

    def _publish_now(self, events: Sequence[dict[str, Any]]) -> None:
        if len(events) == 1:
            self._broker.publish(events[0])  # whose errors do not count
        else:
            self._broker.publish_many(events)
