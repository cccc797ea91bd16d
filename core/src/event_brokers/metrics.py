"""Metrics for Prometheus, which need prometheus_client: the extra `event-brokers[prometheus]`.

::

    prometheus_client.REGISTRY.register(event_brokers.metrics.EventBrokersCollector())
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

from event_brokers import metric_table
from event_brokers.errors import ConfigurationError
from event_brokers.look import folder_of
from event_brokers.measurements import Distribution
from event_brokers.metric_samples import samples
from event_brokers.metric_table import Kind
from event_brokers.settings import Settings

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

_OF_KIND: dict[Kind, Any] = {
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
        return iter(_families().values())

    def collect(self) -> Iterator[Metric]:
        """Return what there is now."""
        families = _families()
        for sample in samples(self._spools):
            family, value = families[sample.metric.name], sample.value
            if isinstance(value, Distribution):
                family.add_metric(sample.labels, _buckets(value), value.total)
            else:
                family.add_metric(sample.labels, value)
        return iter(families.values())


def _families() -> dict[str, Any]:
    return {
        each.name: _OF_KIND[each.kind](each.name, each.text, labels=("type", "name", *each.labels))
        for each in metric_table.METRICS
    }


def _buckets(found: Distribution) -> list[tuple[str, float]]:
    """Return how many values lie up to each bound, as Prometheus counts them."""
    bounds = [f"{float(bound)}" for bound in found.bounds] + ["+Inf"]
    return list(zip(bounds, map(float, accumulate(found.counts)), strict=True))
