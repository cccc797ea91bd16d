"""A program whose signal handler calls the broker, while its main thread publishes to it.

Arguments: what the handler calls, how often, and the section. Says what became of each event.
"""

from __future__ import annotations

import itertools
import json
import random
import signal
import sys
from collections.abc import Callable
from typing import Any

import event_brokers
from event_brokers import BrokerClosed, EventBroker, UndeliveredEvents

# around the time that a few calls of `publish` take
LONGEST_SECONDS = {"memory": 0.002, "spool": 0.01}


class Publisher:
    """Publishes numbered events, and knows what the answers were.

    Attributes:
        accepted: numbers of the events whose `publish` returned.
        refused: numbers of those that were too late.
        undelivered: how many of the accepted ones `close` could not deliver.
    """

    def __init__(self) -> None:
        self.accepted: list[int] = []
        self.refused: list[int] = []
        self.undelivered = 0
        self._numbers = itertools.count()

    def publish(self, broker: EventBroker) -> None:
        """Publish the next event."""
        number = next(self._numbers)
        try:
            broker.publish({"number": number}, timeout=60)
        except BrokerClosed:
            self.refused.append(number)
            raise
        self.accepted.append(number)

    def close(self, broker: EventBroker) -> None:
        """Close the broker, and count what it says it could not deliver."""
        try:
            broker.close(60)
        except UndeliveredEvents as undelivered:
            self.undelivered += undelivered.count

    def report(self) -> None:
        """Say what became of the events."""
        document = {
            "accepted": self.accepted,
            "refused": self.refused,
            "undelivered": self.undelivered,
        }
        sys.stdout.write(json.dumps(document))


def look(broker: EventBroker) -> None:
    """Ask for the status, and see that it adds up."""
    status = broker.status()
    assert status.accepted == status.delivered + status.pending + status.dead_letters, status


class Alarm:
    """Calls something from a signal handler, a short time after it was set.

    Parameters:
        longest: seconds; the real time is taken by chance.
        call: what is called, on the main thread, between any two steps of it.
    """

    def __init__(self, longest: float, call: Callable[[], object]) -> None:
        self.rang = 0
        self._longest = longest
        self._call = call
        self._chance = random.Random(longest)
        signal.signal(signal.SIGALRM, self._ring)

    def set(self) -> None:
        """Let it ring soon, once."""
        signal.setitimer(signal.ITIMER_REAL, self._chance.uniform(1e-5, self._longest))

    def _ring(self, *_: Any) -> None:
        self._call()
        self.rang += 1


def call_while_publishing(call: str, rounds: int, section: dict[str, Any]) -> None:
    """Call `publish`, `flush` or `status` from the handler again and again."""
    publisher = Publisher()
    with event_brokers.connect(section) as broker:
        calls: dict[str, Callable[[], object]] = {
            "publish": lambda: publisher.publish(broker),
            "flush": broker.flush,
            "status": lambda: look(broker),
        }
        alarm = Alarm(longest_of(section), calls[call])
        for rung in range(rounds):
            alarm.set()
            while alarm.rang == rung:
                publisher.publish(broker)
        status = broker.flush(60)
        assert status.pending == 0, status
        assert status.accepted == status.delivered == len(publisher.accepted), status
    publisher.report()


def close_while_publishing(rounds: int, section: dict[str, Any]) -> None:
    """Close one broker after the other from the handler."""
    publisher = Publisher()
    for _ in range(rounds):
        broker = event_brokers.connect(section)
        alarm = Alarm(longest_of(section), lambda: publisher.close(broker))  # noqa: B023 - rings within the round
        alarm.set()
        try:
            while True:
                publisher.publish(broker)
        except BrokerClosed:
            assert broker.status().state == "closed"
    publisher.report()


def longest_of(section: dict[str, Any]) -> float:
    """Return how long the alarm may wait for publishers of this section."""
    return LONGEST_SECONDS["spool" if "spool" in section["delivery"] else "memory"]


def main() -> None:
    """Do what the arguments say."""
    call, rounds, section = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
    if call == "close":
        close_while_publishing(rounds, section)
    else:
        call_while_publishing(call, rounds, section)


if __name__ == "__main__":
    main()
