"""Every metric there is: its name, its kind, its labels and what it says."""

from __future__ import annotations

from enum import Enum

import msgspec

PREFIX = "event_brokers_"
STATES = ("connecting", "connected", "retrying", "halted", "unattended")


class Kind(str, Enum):
    """The kinds of Prometheus."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Metric(msgspec.Struct, frozen=True):
    """One metric.

    Attributes:
        name: as it is exposed; a counter ends in `_total`.
        kind: counter, gauge or histogram.
        text: what it says, a clause.
        labels: beside `type` and `name`, which all of them have.
    """

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()


def _metric(name: str, kind: Kind, text: str, *labels: str) -> Metric:
    return Metric(PREFIX + name, kind, text, labels)


_SCOPE = "scope"
# what a queue says: of a spool the same in every process that shares it
ACCEPTED = _metric("accepted_total", Kind.COUNTER, "events whose publish returned", _SCOPE)
DELIVERED = _metric("delivered_total", Kind.COUNTER, "events that the broker confirmed", _SCOPE)
PENDING = _metric("pending", Kind.GAUGE, "events that wait", _SCOPE)
DEAD_LETTERS = _metric("dead_letters", Kind.GAUGE, "events that the broker will never take", _SCOPE)
QUEUE_BYTES = _metric(
    "queue_bytes", Kind.GAUGE, "bytes that the spool takes on disk, or what waits in memory", _SCOPE
)
OLDEST = _metric(
    "oldest_pending_seconds", Kind.GAUGE, "how long the oldest event has waited; 0 without one",
    _SCOPE,
)  # fmt: skip
STATE = _metric(
    "state", Kind.GAUGE,
    "1 for the state that delivery is in, 0 for the others; unattended: no process delivers",
    _SCOPE, "state",
)  # fmt: skip
STATE_SECONDS = _metric(
    "state_age_seconds", Kind.GAUGE,
    "how long it has been connected, or has not been; absent where nobody has said", _SCOPE,
)  # fmt: skip
LAST_CONFIRM = _metric(
    "last_confirm_age_seconds", Kind.GAUGE,
    "how long ago the broker last confirmed events; absent before the first time", _SCOPE,
)  # fmt: skip
READABLE = _metric(
    "spool_readable", Kind.GAUGE,
    "whether the spool could be read: 0 hides the metrics above, 1 where it can or there is none",
    _SCOPE,
)  # fmt: skip
OF_QUEUES = (
    ACCEPTED, DELIVERED, PENDING, DEAD_LETTERS, QUEUE_BYTES, OLDEST, STATE, STATE_SECONDS,
    LAST_CONFIRM, READABLE,
)  # fmt: skip

# what one process measures of its own delivery
ATTEMPTS = _metric(
    "attempts_total", Kind.COUNTER, "calls of the plugin: connect, publish", "operation"
)
FAILURES = _metric(
    "failures_total", Kind.COUNTER,
    "calls that failed: unavailable, configuration, rejected, or unforeseen by the plugin",
    "operation", "error_type",
)  # fmt: skip
RECONNECTS = _metric("reconnects_total", Kind.COUNTER, "connections after the first")
BATCH_EVENTS = _metric(
    "batch_events", Kind.HISTOGRAM, "events in a batch that the plugin was given"
)
DELIVERY_SECONDS = _metric(
    "delivery_duration_seconds", Kind.HISTOGRAM,
    "from the end of publish to the confirm of the broker, of every event",
)  # fmt: skip
PUBLISH_SECONDS = _metric(
    "publish_duration_seconds", Kind.HISTOGRAM,
    "how long publish took to store its events, of one call in 16",
)  # fmt: skip
OF_PROCESSES = (
    ATTEMPTS, FAILURES, RECONNECTS, BATCH_EVENTS, DELIVERY_SECONDS, PUBLISH_SECONDS,
)  # fmt: skip

RECEIVED = _metric("consumer_received_total", Kind.COUNTER, "events a consumer handed out", "group")
OF_CONSUMERS = (RECEIVED,)

METRICS = (*OF_QUEUES, *OF_PROCESSES, *OF_CONSUMERS)


def table() -> str:
    """Return all of them as a table in Markdown, as the documentation has it."""
    rows = [
        f"| `{each.name}` | {each.kind.value} | "
        f"{', '.join(f'`{label}`' for label in each.labels) or '-'} | {each.text} |"
        for each in METRICS
    ]
    return "\n".join(["| metric | kind | labels | what it says |", "|---|---|---|---|", *rows])
