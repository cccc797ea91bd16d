"""What every metric says now, of every broker and consumer of the process, whoever shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from event_brokers import metric_table
from event_brokers.consumer import RECEIVED
from event_brokers.destinations import destinations
from event_brokers.look import Look
from event_brokers.measurements import KINDS, Distribution, Measured
from event_brokers.settings import Settings
from event_brokers.status import Status


class Sample(msgspec.Struct, frozen=True):
    """One value of one metric.

    Attributes:
        metric: which one.
        labels: as the metric names them, behind type and name.
        value: a number, or how what was measured is spread.
    """

    metric: metric_table.Metric
    labels: tuple[str, ...]
    value: float | Distribution


def samples(spools: Iterable[Settings] = ()) -> Iterator[Sample]:
    """Look at everything that is open in the process, and at spools whoever delivers them.

    Parameters:
        spools: sections that name a spool.
    """
    shown = set[str]()
    for look in (each.look for each in destinations(spools)):
        if look.spool is None or look.spool not in shown:
            yield from _of_queue(look)
        if look.spool is not None:
            shown.add(look.spool)
        if look.measured is not None:
            yield from _of_process(look.measured, look.type, look.name)
    for received in RECEIVED.all():
        labels = received.type, received.name, received.group or ""
        yield Sample(metric_table.RECEIVED, labels, received.events)


def _of_queue(look: Look) -> Iterator[Sample]:
    labels = look.type, look.name, "process" if look.spool is None else "spool"
    status = look.status
    yield Sample(metric_table.READABLE, labels, status is not None)
    if status is None:
        return
    for state in metric_table.STATES:
        yield Sample(metric_table.STATE, (*labels, state), state == _state_of(look, status))
    for metric, value in (
        (metric_table.ACCEPTED, status.accepted),
        (metric_table.DELIVERED, status.delivered),
        (metric_table.PENDING, status.pending),
        (metric_table.DEAD_LETTERS, status.dead_letters),
        (metric_table.QUEUE_BYTES, look.size),
        (metric_table.OLDEST, status.oldest_pending_seconds or 0),
        (metric_table.STATE_SECONDS, status.state_seconds),
        (metric_table.LAST_CONFIRM, status.last_confirm_seconds),
    ):
        if value is not None:
            yield Sample(metric, labels, value)


def _state_of(look: Look, status: Status) -> str:
    return status.state if look.is_attended else "unattended"


def _of_process(measured: Measured, type_name: str, name: str) -> Iterator[Sample]:
    labels = type_name, name
    for operation, count in measured.attempts.items():
        yield Sample(metric_table.ATTEMPTS, (*labels, operation), count)
        for kind in KINDS:
            failures = measured.failures.get((operation, kind), 0)
            yield Sample(metric_table.FAILURES, (*labels, operation, kind), failures)
    yield Sample(metric_table.RECONNECTS, labels, measured.reconnects)
    yield Sample(metric_table.BATCH_EVENTS, labels, measured.batches)
    yield Sample(metric_table.DELIVERY_SECONDS, labels, measured.delivery_seconds)
    yield Sample(metric_table.PUBLISH_SECONDS, labels, measured.publish_seconds)
