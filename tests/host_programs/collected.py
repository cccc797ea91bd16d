"""A program in which objects call the broker when they are collected, on whatever thread.

Arguments: what they call, how they come to call it, how often, and the section. Says what became of
each event, and on which threads it was called.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import event_brokers
from event_brokers import BrokerClosed, EventBroker, UndeliveredEvents
from host_programs.signalled import Publisher, look

OFTEN = 50  # objects between two collections: every few events, wherever the next object is made


class Calls:
    """What collected objects call, and what came of it.

    Parameters:
        call: is not called by two objects at once on one thread.

    Attributes:
        threads: the names of those that have called.
        failures: what was raised, in words.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self.threads: list[str] = []
        self.failures: list[str] = []
        self._call = call

    def make(self) -> None:
        """Call, and keep what is raised: Python lets nothing escape from a destructor."""
        try:
            self._call()
        except BaseException as failure:  # noqa: BLE001 - told at the end
            self.failures.append(f"{type(failure).__name__}: {failure}")
        self.threads.append(threading.current_thread().name)


class Garbage:
    """An object that only the garbage collector can find."""

    def __init__(self) -> None:
        self.itself = self


class CallingGarbage(Garbage):
    """Calls when it is collected."""

    def __init__(self, calls: Calls) -> None:
        super().__init__()
        self._calls = calls

    def __del__(self) -> None:
        self._calls.make()


def leave_with_destructor(calls: Calls) -> None:
    """Leave an object whose `__del__` calls."""
    CallingGarbage(calls)


def leave_with_finalizer(calls: Calls) -> None:
    """Leave an object with a weak reference whose callback calls."""
    weakref.finalize(Garbage(), calls.make)


LEAVE = {"del": leave_with_destructor, "finalize": leave_with_finalizer}


def call_while_publishing(
    call: str, leave: Callable[[Calls], None], rounds: int, section: dict[str, Any]
) -> None:
    """Publish on two threads, and leave garbage that calls `publish`, `flush` or `status`."""
    publisher = Publisher()
    broker = event_brokers.connect(section)
    callables: dict[str, Callable[[], object]] = {
        "publish": lambda: publisher.publish(broker),
        "flush": broker.flush,
        "status": lambda: look(broker),
    }
    calls = Calls(callables[call])

    def publish() -> None:
        for _ in range(rounds):
            leave(calls)
            publisher.publish(broker)

    gc.disable()
    leave(calls)
    publisher.publish(broker)
    broker.flush()  # the plugin has collected, on the thread that delivers
    gc.enable()
    gc.set_threshold(OFTEN)
    thread = threading.Thread(target=publish, name="publisher")
    thread.start()
    publish()
    thread.join()
    while len(calls.threads) < 1 + 2 * rounds:  # another thread may be collecting still
        gc.collect()
        time.sleep(0.001)
    status = broker.flush()
    assert status.pending == 0, status
    publisher.close(broker)
    assert broker.status().delivered == len(publisher.accepted)
    report(publisher, calls)


def close_while_publishing(
    leave: Callable[[Calls], None], rounds: int, section: dict[str, Any]
) -> None:
    """Leave garbage that closes the broker, to one thread or the other."""
    publisher = Publisher()
    every = Calls(lambda: None)
    for number in range(rounds):
        # on the thread that delivers the plugin collects, and nobody else where this is disabled
        gc.enable() if number % 2 else gc.disable()
        close_from_garbage(leave, publisher, every, section)
    report(publisher, every)


def close_from_garbage(
    leave: Callable[[Calls], None], publisher: Publisher, every: Calls, section: dict[str, Any]
) -> None:
    """Publish until an object that was left has closed the broker."""
    broker = event_brokers.connect(section)
    calls = Calls(lambda: close(broker, publisher))
    for _ in range(10):
        publisher.publish(broker)
    gc.set_threshold(OFTEN)
    leave(calls)
    try:
        while True:
            publisher.publish(broker)
            Garbage()
    except BrokerClosed:
        close(broker, publisher)
    every.threads += calls.threads
    every.failures += calls.failures


def close(broker: EventBroker, publisher: Publisher) -> None:
    """Close, and count what is said to be undelivered."""
    try:
        broker.close()
    except UndeliveredEvents as undelivered:
        publisher.undelivered += undelivered.count


def report(publisher: Publisher, calls: Calls) -> None:
    """Say what became of the events, and of the calls."""
    document = {
        "accepted": publisher.accepted,
        "refused": publisher.refused,
        "undelivered": publisher.undelivered,
        "threads": sorted(set(calls.threads)),
        "calls": len(calls.threads),
        "failures": calls.failures,
    }
    sys.stdout.write(json.dumps(document))


def main() -> None:
    """Do what the arguments say."""
    call, leave, rounds = sys.argv[1], LEAVE[sys.argv[2]], int(sys.argv[3])
    section = json.loads(sys.argv[4])
    if call == "close":
        close_while_publishing(leave, rounds, section)
    else:
        call_while_publishing(call, leave, rounds, section)


if __name__ == "__main__":
    main()
