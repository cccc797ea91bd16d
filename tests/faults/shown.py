"""What `/metrics` of the process that publishes has to say of a fault, as a monitor scrapes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx2
from prometheus_client import CollectorRegistry, start_http_server

from event_brokers.metrics import EventBrokersCollector
from metric_samples import Samples
from waiting import wait_until

NAME = "stream"  # of the broker: other tests of the same process may have left some open
_DEADLINE_SECONDS = 60.0
_HELD_UP_SECONDS = 1.0  # far more than an event waits while all is well


@dataclass(frozen=True)
class Shown:
    """What one scrape says.

    Attributes:
        state: the one that is 1.
        accepted: events.
        delivered: events.
        pending: events.
        dead_letters: events.
        oldest_seconds: how long the oldest event has waited.
        unconfirmed_seconds: how long ago the broker has confirmed anything; None before that.
        reconnects: connections after the first.
        failures: calls of the plugin that failed, by what they have met.
    """

    state: str
    accepted: float
    delivered: float
    pending: float
    dead_letters: float
    oldest_seconds: float
    unconfirmed_seconds: float | None
    reconnects: float
    failures: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, samples: Samples) -> Shown:
        """Return what a scrape says of the stream."""
        failures: dict[str, float] = {}
        for sample in samples.all:
            labels = sample.labels
            if sample.name == "event_brokers_failures_total" and labels["name"] == NAME:
                failures.setdefault(labels["error_type"], 0)
                failures[labels["error_type"]] += sample.value
        confirm = samples.values("last_confirm_age_seconds", name=NAME)
        return cls(
            state=samples.state(name=NAME),
            accepted=samples.value("accepted_total", name=NAME),
            delivered=samples.value("delivered_total", name=NAME),
            pending=samples.value("pending", name=NAME),
            dead_letters=samples.value("dead_letters", name=NAME),
            oldest_seconds=samples.value("oldest_pending_seconds", name=NAME),
            unconfirmed_seconds=confirm[0] if confirm else None,
            reconnects=samples.value("reconnects_total", name=NAME),
            failures=failures,
        )

    def failed_since(self, before: Shown) -> float:
        """Return how many calls of the plugin have failed since another scrape."""
        return sum(self.failures.values()) - sum(before.failures.values())


NOTHING = Shown("connecting", 0, 0, 0, 0, 0, None, 0)  # before anything has happened

Shows = Callable[[Shown, Shown], bool]
"""Whether a scrape shows a fault; it is given one from before the fault, and one of now."""


def outage(before: Shown, now: Shown) -> bool:
    """It is not connected, events wait, and calls of the plugin have failed."""
    return now.state != "connected" and now.pending > 0 and now.failed_since(before) > 0


def halted(before: Shown, now: Shown) -> bool:
    """It waits for a person, and failures are told as such."""
    mistakes = now.failures["configuration"] - before.failures.get("configuration", 0)
    return now.state == "halted" and now.pending > 0 and mistakes > 0


def held_up(_before: Shown, now: Shown) -> bool:
    """Nothing is confirmed while events wait; a client that hopes may be connected all the same."""
    silent = now.unconfirmed_seconds is None or now.unconfirmed_seconds > _HELD_UP_SECONDS
    return silent and now.pending > 0 and now.oldest_seconds > _HELD_UP_SECONDS


def behind(_before: Shown, now: Shown) -> bool:
    """Events are confirmed, but later than they come."""
    return now.pending > 0 and now.oldest_seconds > _HELD_UP_SECONDS


def interrupted(before: Shown, now: Shown) -> bool:
    """Calls of the plugin have failed, and it has connected again: it may be over already."""
    return now.failed_since(before) > 0 and now.reconnects > before.reconnects


def dead_letter(before: Shown, now: Shown) -> bool:
    """One event is given up, after calls that have failed."""
    return now.dead_letters == before.dead_letters + 1 and now.failed_since(before) > 0


def unseen(because: str) -> Shows:
    """Return the condition of a fault that delivery does not feel, or no longer: it is connected.

    Parameters:
        because: why a monitor has nothing to see of it.
    """
    assert because

    def connected(_before: Shown, now: Shown) -> bool:
        return now.state == "connected"

    return connected


class Metrics:
    """The metrics of this process, scraped over HTTP.

    Parameters:
        url: where they are served.
    """

    def __init__(self, url: str) -> None:
        self._url = url

    def now(self) -> Shown:
        """Return what they say now; that no event is missing from the count holds at any time."""
        response = httpx2.get(self._url, trust_env=False, timeout=30).raise_for_status()
        shown = Shown.of(Samples(response.text))
        assert shown.accepted == shown.delivered + shown.pending + shown.dead_letters
        return shown

    def wait_for(self, shows: Shows, before: Shown) -> None:
        """Wait until they show a fault, which goes on meanwhile.

        Parameters:
            shows: what has to be seen.
            before: what they said before the fault.
        """
        seen = before

        def is_shown() -> bool:
            nonlocal seen
            seen = self.now()
            return shows(before, seen)

        try:
            wait_until(is_shown, _DEADLINE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{shows.__name__} is not shown: {before}, then {seen}") from error


@contextmanager
def served() -> Iterator[Metrics]:
    """Serve the metrics of this process as an application does, on a free port."""
    registry = CollectorRegistry()
    registry.register(EventBrokersCollector())
    server, thread = start_http_server(0, "127.0.0.1", registry)
    try:
        yield Metrics(f"http://127.0.0.1:{server.server_port}/metrics")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
