"""A program that limits the time of what it does by a signal handler that raises, and goes on.

Arguments: the name of the exception, how often, and the section. Says what became of each event.
"""

from __future__ import annotations

import itertools
import json
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

import event_brokers
from event_brokers import EventBroker
from host_programs.signalled import Alarm, longest_of

ROUNDS_BETWEEN_LOOKS = 10


class OutOfTime(Exception):
    """What the application did has taken too long."""


EXCEPTIONS: dict[str, type[BaseException]] = {
    "OutOfTime": OutOfTime,
    "KeyboardInterrupt": KeyboardInterrupt,
}


class Application:
    """Publishes within a time limit again and again.

    Parameters:
        broker: the broker.
        exception: raised by the handler, at any moment of the limited time.
    """

    def __init__(self, broker: EventBroker, exception: type[BaseException]) -> None:
        self.accepted: list[int] = []
        self.interrupted: list[int] = []
        self._broker = broker
        self._exception = exception
        self._numbers = itertools.count()
        self._is_limited = False

    def interrupt(self) -> None:
        """Raise the exception, where the time is limited now."""
        if self._is_limited:
            self._is_limited = False
            raise self._exception

    def publish_in_limited_time(self, alarm: Alarm) -> None:
        """Publish until the time is over."""
        number = -1
        try:
            self._is_limited = True
            alarm.set()
            while True:
                number = next(self._numbers)
                self._broker.publish({"number": number}, timeout=60)
                self.accepted.append(number)
        except self._exception:
            self.interrupted.append(number)

    def look(self) -> None:
        """Publish, flush and look on this thread and on another one."""
        self._use()
        in_thread(self._use)

    def _use(self) -> None:
        number = next(self._numbers)
        self._broker.publish({"number": number}, timeout=60)
        self.accepted.append(number)
        status = self._broker.flush()
        assert status.pending == 0, status
        assert status.accepted == status.delivered + status.dead_letters, status


def in_thread(call: Callable[[], None]) -> None:
    """Call on a thread of its own, and raise here what it raises.

    Parameters:
        call: a program that hangs in it is ended, and shows where it is.
    """
    failures: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as failure:  # noqa: BLE001 - raised by the thread that waits
            failures.append(failure)

    thread = threading.Thread(target=run, name="another thread")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def main() -> None:
    """Do what the arguments say."""
    exception, rounds, section = EXCEPTIONS[sys.argv[1]], int(sys.argv[2]), json.loads(sys.argv[3])
    sys.unraisablehook = tell_unless(exception)
    broker = event_brokers.connect(section)
    application = Application(broker, exception)
    alarm = Alarm(longest_of(section), application.interrupt)
    for number in range(rounds):
        application.publish_in_limited_time(alarm)
        if number % ROUNDS_BETWEEN_LOOKS == 0:
            application.look()
    application.look()
    status = broker.close(60)
    sys.stdout.write(
        json.dumps(
            {
                "accepted": application.accepted,
                "interrupted": application.interrupted,
                "counts": [status.accepted, status.delivered],
            }
        )
    )


def tell_unless(exception: type[BaseException]) -> Callable[[Any], None]:
    """Return a hook that shows what could not be raised, but for the handler's own exception.

    Parameters:
        exception: may strike in a destructor, from which Python lets nothing escape.
    """

    def tell(unraisable: Any) -> None:
        if unraisable.exc_type is not exception:
            sys.__unraisablehook__(unraisable)

    return tell


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
