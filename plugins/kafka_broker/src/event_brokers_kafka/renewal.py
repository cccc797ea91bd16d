"""Keeps what a login needs and what expires: fetched and renewed on a thread of ours.

kafka-python asks for it on its network thread, where whoever waits holds up everything else.
"""

from __future__ import annotations

import concurrent.futures
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from event_brokers import BrokerUnavailable
from event_brokers.plugin import EventBrokersError, logger

FIRST_SECONDS = 12.0
CLOSE_SECONDS = 3.0
# kafka-python logs in again after 0.85 of a session's time at the soonest: by then there is a new
# one, and not all clients ask for theirs at the same moment
_RENEWED_AFTER = (0.75, 0.8)
_SOONEST_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0

Value = TypeVar("Value")


@dataclass(frozen=True)
class Lease(Generic[Value]):
    """Something that is good for a time.

    Attributes:
        value: what it is.
        since: when it was asked for, on the clock of `time.monotonic`.
        seconds: for how long it is good.
    """

    value: Value
    since: float
    seconds: float

    @property
    def seconds_left(self) -> float:
        """For how long it is still good; below nought where it is not."""
        return self.since + self.seconds - time.monotonic()


class Renewed(Generic[Value]):
    """A value that is renewed before it expires, until it is closed.

    It is for the process that made it: a child that was forked off has no such thread.

    Parameters:
        name: what it is, for the log: "the token for 'x'".
        fetch: returns a new one, and waits for a bounded time.

    Raises:
        BrokerUnavailable: the first does not come within FIRST_SECONDS.
        EventBrokersError: what `fetch` raised for the first.
    """

    def __init__(self, name: str, fetch: Callable[[], Lease[Value]]) -> None:
        self._name = name
        self._fetch = fetch
        self._process = os.getpid()
        self._is_closing = threading.Event()
        self._first: concurrent.futures.Future[Lease[Value]] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, name="event-brokers-login", daemon=True)
        self._thread.start()
        try:
            self._lease = self._first.result(FIRST_SECONDS)
        except concurrent.futures.TimeoutError as error:
            self._is_closing.set()
            raise BrokerUnavailable(f"{name} does not come within {FIRST_SECONDS:g} s") from error
        except BaseException:
            self._is_closing.set()
            raise

    @property
    def lease(self) -> Lease[Value]:
        """The newest; waits for nothing. Whether it is still good, the broker says."""
        return self._lease

    @property
    def value(self) -> Value:
        """What the newest is."""
        return self._lease.value

    def close(self) -> None:
        """End the thread; one that waits for an answer ends when it has it, or has waited enough.

        In a forked child there is none to end.
        """
        if os.getpid() != self._process:
            return
        self._is_closing.set()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        try:
            lease = self._fetch()
        except BaseException as error:  # noqa: BLE001 - raised where the first is waited for
            self._first.set_exception(error)
            return
        self._first.set_result(lease)
        failures = 0
        while not self._is_closing.wait(_pause(lease, failures)):
            try:
                lease = self._lease = self._fetch()
            except Exception as error:  # noqa: BLE001 - without a thread nothing is renewed again
                failures += 1
                if failures == 1:
                    self._warn(lease, error)
            else:
                if failures:
                    logger.warning("kafka: %s is renewed again", self._name)
                failures = 0

    def _warn(self, lease: Lease[Value], error: Exception) -> None:
        # what others say may hold a secret
        reason = error if isinstance(error, EventBrokersError) else type(error).__name__
        logger.warning(
            "kafka: %s is not renewed, and ends in %.0f s: %s; it is tried again",
            self._name,
            max(0.0, lease.seconds_left),
            reason,
        )


def _pause(lease: Lease[Value], failures: int) -> float:
    """Return the seconds until the next attempt."""
    if failures:
        return min(_LONGEST_PAUSE_SECONDS, 2.0 ** min(failures - 1, 10))
    share = random.uniform(*_RENEWED_AFTER)
    return max(_SOONEST_SECONDS, lease.seconds_left - (1 - share) * lease.seconds)
