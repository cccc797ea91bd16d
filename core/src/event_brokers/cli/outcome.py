"""What became of the events that a command published: in words, for machines, and as a code."""

from __future__ import annotations

import time
from contextlib import suppress

from event_brokers.broker import EventBroker
from event_brokers.cli.exit_codes import ExitCode
from event_brokers.cli.output import Output
from event_brokers.condition import State
from event_brokers.errors import UndeliveredEvents
from event_brokers.queues.protocol import Counts

_SHOWN = 20  # dead letters


class Outcome:
    """Counts what leaves a broker from now on; a spool's own counts begin when it was made.

    Parameters:
        broker: nothing was published yet.
        before: what its queue counted before it began to deliver.
    """

    def __init__(self, broker: EventBroker, before: Counts) -> None:
        self._broker = broker
        self._since = time.time()
        self._before = before
        self._end = self._at_last = broker.status()

    def settle(self) -> None:
        """Close the broker at once, and count."""
        self._at_last = self._broker.status()
        with suppress(UndeliveredEvents):  # they are counted as pending
            self._broker.close(timeout=0)
        self._end = self._broker.status()

    @property
    def pending(self) -> int:
        """Events that were not delivered."""
        return self._end.pending

    @property
    def delivered(self) -> int:
        """Events that the broker confirmed."""
        return self._end.delivered - self._before.delivered

    @property
    def dead_letters(self) -> int:
        """Events that the broker will never take."""
        return self._end.dead_letters - self._before.dead_letters

    def tell(self, output: Output) -> None:
        """Write dead letters and the reason for what is pending, and at last the counts."""
        self._tell_dead_letters(output)
        state, reason = self._at_last.state, self._at_last.last_error
        if self.pending and reason is not None:
            output.warn(f"{state}: {reason}")
        counts = {
            "accepted": self.delivered + self.pending + self.dead_letters,
            "delivered": self.delivered,
            "pending": self.pending,
            "dead_letters": self.dead_letters,
        }
        output.document |= counts | {"state": state, "last_error": reason}
        output.say(", ".join(f"{count} {name}" for name, count in counts.items()).replace("_", " "))

    def exit_code(self) -> ExitCode:
        """Return the code that says it in a number."""
        if self.pending:
            halted = self._at_last.state == State.HALTED.value
            return ExitCode.EX_CONFIG if halted else ExitCode.EX_TEMPFAIL
        return ExitCode.EX_DATAERR if self.dead_letters else ExitCode.EX_OK

    def _tell_dead_letters(self, output: Output) -> None:
        if not self.dead_letters:
            return
        letters = [each for each in self._broker.dead_letters() if each.time >= self._since]
        for letter in letters[:_SHOWN]:
            output.warn(f"dead letter {letter.event.id}: {letter.reason}")
        if self.dead_letters > _SHOWN:
            output.warn(f"and {self.dead_letters - _SHOWN} more dead letters")
