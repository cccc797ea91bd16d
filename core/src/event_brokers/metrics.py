"""Metrics for Prometheus, which need prometheus_client: the extra `event-brokers[prometheus]`.

::

    prometheus_client.REGISTRY.register(event_brokers.metrics.EventBrokersCollector())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate

from event_brokers import metric_table as of
from event_brokers.consumer import RECEIVED
from event_brokers.engine import ENGINES
from event_brokers.errors import ConfigurationError, SpoolError
from event_brokers.look import Look, folder_of, look_from_outside
from event_brokers.measurements import KINDS, Distribution, Measured, Received
from event_brokers.metric_table import Kind
from event_brokers.settings import Settings
from event_brokers.status import Status

try:
    from prometheus_client.core import (
        CounterMetricFamily,
        GaugeMetricFamily,
        HistogramMetricFamily,
    )
    from prometheus_client.metrics_core import Metric
    from prometheus_client.registry import Collector
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        'event_brokers.metrics needs prometheus_client; pip install "event-brokers[prometheus]"',
        name=error.name,
    ) from error

__all__ = ["EventBrokersCollector"]

_OF_KIND: dict[Kind, type[Metric]] = {
    Kind.COUNTER: CounterMetricFamily,
    Kind.GAUGE: GaugeMetricFamily,
    Kind.HISTOGRAM: HistogramMetricFamily,
}


class EventBrokersCollector(Collector):
    """Shows every EventBroker and every consumer of the process; looks when it is asked.

    It keeps nothing: what is closed vanishes. What a spool counts is the same in every process
    that shares it, and has the label `scope="spool"`: take the maximum over processes, not the sum.

    Parameters:
        spools: sections whose spools are shown as well, whoever delivers their events;
            `event_brokers.endpoints.read` makes them. One that is missing counts nothing.

    Raises:
        ConfigurationError: one of them names no spool.
    """

    def __init__(self, spools: Iterable[Settings] = ()) -> None:
        self._spools = list(spools)
        if any(folder_of(settings) is None for settings in self._spools):
            raise ConfigurationError(
                "event_broker.delivery.spool: events wait in memory, which only the program that "
                "publishes can look into; name a folder to keep them in, or serve metrics there"
            )

    def describe(self) -> Iterator[Metric]:
        """Name what there is, so that a registry takes a second collector for a mistake."""
        return iter(_Families().all())

    def collect(self) -> Iterator[Metric]:
        """Return what there is now."""
        families, names, shown = _Families(), _Names(), set[str]()
        for look in self._looks():
            name = names.new(look.name)
            if look.spool is None or look.spool not in shown:
                _add_queue(families, look, name)
            if look.spool is not None:
                shown.add(look.spool)
            if look.measured is not None:
                _add_process(families, look.measured, look.type, name)
        names = _Names()
        for received in RECEIVED.all():
            _add_received(families, received, names.new(received.type))
        return iter(families.all())

    def _looks(self) -> Iterator[Look]:
        own = [look for engine in ENGINES.all() if (look := engine.look()) is not None]
        yield from own
        known = {look.spool for look in own}
        for settings in self._spools:
            if folder_of(settings) not in known:
                yield _seen_from_outside(settings)


class _Names:
    """Gives what has the same name a number, the first none."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def new(self, wanted: str) -> str:
        name, number = wanted, 1
        while name in self._given:
            number += 1
            name = f"{wanted}-{number}"
        self._given.add(name)
        return name


class _Families:
    """What is about to be exposed, a family for each metric."""

    def __init__(self) -> None:
        self._families = {each.name: _family(each) for each in of.METRICS}

    def all(self) -> list[Metric]:
        return list(self._families.values())

    def add(self, metric: of.Metric, value: float | None, *labels: str) -> None:
        """Add a value, unless it is None."""
        if value is not None:
            self._families[metric.name].add_metric(labels, value)  # type: ignore[attr-defined]

    def add_distribution(self, metric: of.Metric, found: Distribution, *labels: str) -> None:
        """Add a histogram."""
        bounds = [f"{float(bound)}" for bound in found.bounds] + ["+Inf"]
        buckets = list(zip(bounds, map(float, accumulate(found.counts)), strict=True))
        family = self._families[metric.name]
        family.add_metric(labels, buckets, found.total)  # type: ignore[attr-defined]


def _family(metric: of.Metric) -> Metric:
    labels = ("type", "name", *metric.labels)
    return _OF_KIND[metric.kind](metric.name, metric.text, labels=labels)  # type: ignore[call-arg]


def _seen_from_outside(settings: Settings) -> Look:
    try:
        return look_from_outside(settings)
    except (ConfigurationError, SpoolError):  # shown as `spool_readable` 0
        return Look(settings.plugin.type, settings.plugin.type, folder_of(settings), None)


def _add_queue(families: _Families, look: Look, name: str) -> None:
    labels = look.type, name, "process" if look.spool is None else "spool"
    families.add(of.READABLE, look.status is not None, *labels)
    if look.status is None:
        return
    status = look.status
    families.add(of.QUEUE_BYTES, look.size, *labels)
    for state in of.STATES:
        families.add(of.STATE, state == _state_of(look, status), *labels, state)
    for metric, value in (
        (of.ACCEPTED, status.accepted),
        (of.DELIVERED, status.delivered),
        (of.PENDING, status.pending),
        (of.DEAD_LETTERS, status.dead_letters),
        (of.OLDEST, status.oldest_pending_seconds or 0),
        (of.STATE_SECONDS, status.state_seconds),
        (of.LAST_CONFIRM, status.last_confirm_seconds),
    ):
        families.add(metric, value, *labels)


def _state_of(look: Look, status: Status) -> str:
    return status.state if look.is_attended else "unattended"


def _add_process(families: _Families, measured: Measured, type_name: str, name: str) -> None:
    labels = type_name, name
    for operation, count in measured.attempts.items():
        families.add(of.ATTEMPTS, count, *labels, operation)
        for kind in KINDS:
            failures = measured.failures.get((operation, kind), 0)
            families.add(of.FAILURES, failures, *labels, operation, kind)
    families.add(of.RECONNECTS, measured.reconnects, *labels)
    families.add_distribution(of.BATCH_EVENTS, measured.batches, *labels)
    families.add_distribution(of.DELIVERY_SECONDS, measured.delivery_seconds, *labels)
    families.add_distribution(of.PUBLISH_SECONDS, measured.publish_seconds, *labels)


def _add_received(families: _Families, received: Received, name: str) -> None:
    families.add(of.RECEIVED, received.events, received.type, name, received.group or "")
