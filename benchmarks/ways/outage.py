"""Calls `publish` a thousand times a second, in turns with the server healthy and killed."""

from __future__ import annotations

import time

import event_brokers
from benchmarks.events import numbered
from benchmarks.measuring import percentile
from benchmarks.task import Figures, Task
from benchmarks.turn import ask

_ROUNDS = 4
_PAUSE_SECONDS = 0.001
_FLUSH_SECONDS = 60


class Publisher:
    """Publishes numbered events, at a steady pace.

    Parameters:
        broker: takes them.
    """

    def __init__(self, broker: event_brokers.EventBroker) -> None:
        self._broker = broker
        self.sent = 0

    def publish(self) -> float:
        """Publish one event after a pause, and return what the call took, in microseconds."""
        time.sleep(_PAUSE_SECONDS)
        (event,) = numbered(self.sent, 1)
        begun = time.perf_counter()
        self._broker.publish(event)
        self.sent += 1
        return (time.perf_counter() - begun) * 1e6

    def publish_many_times(self, count: int) -> list[float]:
        """Publish events, and return what each call took."""
        return [self.publish() for _ in range(count)]


def run(task: Task) -> Figures:
    """Measure each call, and how much longer the slow ones take while the server is away.

    Settings: `durability` of the spool, where there is one.
    """
    healthy: list[float] = []
    killed: list[float] = []
    at_once = task.count // _ROUNDS
    with event_brokers.connect(task.section_with_delivery()) as broker:
        publisher = Publisher(broker)
        publisher.publish()
        broker.flush(_FLUSH_SECONDS)
        publisher.publish_many_times(task.warm_up)
        for _ in range(_ROUNDS):
            healthy += publisher.publish_many_times(at_once)
            ask("kill")
            while broker.status().state == "connected":
                publisher.publish()
            killed += publisher.publish_many_times(at_once)
            ask("recover")
            broker.flush(_FLUSH_SECONDS)
    healthy.sort()
    killed.sort()
    measures = {
        f"{name} us, {state}": percentile(times, share)
        for name, share in (("p50", 0.5), ("p99", 0.99))
        for state, times in (("healthy", healthy), ("killed", killed))
    }
    return Figures(measures, publisher.sent)
