"""A stream of numbered events that goes on whatever happens, and what became of it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from typing_extensions import Self

from event_brokers import EventBroker
from servers.backends import Arrived
from waiting import wait_until

SENDERS = ("a", "b", "c", "d")
PAUSE_SECONDS = 0.005  # between two events: about 200 in a second
BURST = 3000
TEXT = "x" * 200


class Stream:
    """Publishes events of a few senders at a modest rate, on a thread of its own.

    Parameters:
        broker: takes the events.

    Attributes:
        accepted: what `publish` has accepted: id -> event, in order.
        doomed: ids of the events that no broker can take.
    """

    def __init__(self, broker: EventBroker) -> None:
        self.accepted: dict[str, dict[str, Any]] = {}
        self.doomed: set[str] = set()
        self._broker = broker
        self._numbers = Counter[str]()
        self._turn = threading.Lock()  # the order here is the order in the queue
        self._end = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.end()

    def end(self) -> None:
        """Publish no more; raise what has gone wrong."""
        self._end.set()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def burst(self) -> None:
        """Publish more at once than one batch carries in a moment."""
        with self._turn:
            for _ in range(BURST):
                self._publish(TEXT)

    def publish_doomed(self, size: int) -> None:
        """Publish an event that is too large for the broker.

        Parameters:
            size: bytes of its text.
        """
        with self._turn:
            self.doomed.add(self._publish("x" * size))

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Hold the stream until everything has been delivered, and while the block lasts."""
        with self._turn:
            assert self._broker.flush(60).pending == 0
            yield

    def go_on(self, events: int, seconds: float) -> None:
        """Wait until so many more events were accepted, and so much time has gone.

        Parameters:
            events: at the least.
            seconds: at the least.
        """
        count, until = len(self.accepted) + events, time.monotonic() + seconds
        wait_until(
            lambda: self._failure or (len(self.accepted) >= count and time.monotonic() >= until),
            seconds + 60,
        )

    def _run(self) -> None:
        try:
            while not self._end.wait(PAUSE_SECONDS):
                with self._turn:
                    self._publish(TEXT)
        except BaseException as error:  # noqa: BLE001 - raised where the stream is ended
            self._failure = error

    def _publish(self, text: str) -> str:
        sender = SENDERS[len(self.accepted) % len(SENDERS)]
        number = self._numbers[sender]
        event = {"sender_id": sender, "event": "user", "number": number, "text": text}
        event_id = self._broker.publish(event)
        self._numbers[sender] += 1
        self.accepted[event_id] = event
        return event_id


@dataclass(frozen=True)
class Tally:
    """What became of the events of a stream.

    Attributes:
        published: events whose `publish` returned.
        delivered: of these, at the broker.
        dead_letters: of these, never to be delivered.
        duplicates: arrivals of an event that was there already, with the same id and body.
        lost: published, neither at the broker nor doomed.
        altered: ids that arrived with another body, or that nobody published.
        overtaken: senders whose first occurrences are out of order.
    """

    published: int
    delivered: int
    dead_letters: int
    duplicates: int
    lost: list[str]
    altered: list[str]
    overtaken: list[str]


def tally(stream: Stream, arrived: Sequence[Arrived]) -> Tally:
    """Compare what was published with what the plain client has read.

    Parameters:
        stream: ended.
        arrived: in the order in which the broker has it.
    """
    bodies = [(found.event_id, json.loads(found.body)) for found in arrived]
    first = dict(reversed(bodies))
    first = {event_id: first[event_id] for event_id, _ in bodies}
    deliverable = stream.accepted.keys() - stream.doomed
    return Tally(
        published=len(stream.accepted),
        delivered=len(first.keys() & deliverable),
        dead_letters=len(stream.doomed),
        duplicates=len(arrived) - len(first),
        lost=sorted(deliverable - first.keys()),
        altered=[found for found, body in bodies if stream.accepted.get(found) != body],
        overtaken=_overtaken(first),
    )


def _overtaken(first: Mapping[str, Mapping[str, Any]]) -> list[str]:
    numbers: dict[str, list[int]] = {}
    for body in first.values():
        numbers.setdefault(body["sender_id"], []).append(body["number"])
    return [sender for sender, found in numbers.items() if found != sorted(found)]
