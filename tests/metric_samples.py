"""What a collector shows, by name and labels, as Prometheus would read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from event_brokers.consumer import RECEIVED
from event_brokers.engine import ENGINES


@pytest.fixture
def alone() -> None:
    """Let the collector see nothing that other tests have left open in this process."""
    for engine in ENGINES.all():
        ENGINES.forget(engine)
    for received in RECEIVED.all():
        RECEIVED.forget(received)


class Samples:
    """The samples of one scrape.

    Parameters:
        text: in the text format of Prometheus.
    """

    def __init__(self, text: str) -> None:
        self.all = [
            sample for family in text_string_to_metric_families(text) for sample in family.samples
        ]

    @classmethod
    def of(cls, collector: Collector) -> Samples:
        """Return what a collector shows now."""
        registry = CollectorRegistry()
        registry.register(collector)
        return cls(generate_latest(registry).decode())

    def names(self) -> set[str]:
        """Return the names of all samples."""
        return {sample.name for sample in self.all}

    def of_brokers(self, label: str) -> set[str]:
        """Return every value that a label has."""
        return {sample.labels[label] for sample in self.all if label in sample.labels}

    def values(self, name: str, /, **labels: str) -> list[float]:
        """Return the values of the samples of a metric that have these labels.

        Parameters:
            name: without the prefix that all have.
            labels: as they are, among others.
        """
        return [
            sample.value
            for sample in self.all
            if sample.name == f"event_brokers_{name}" and labels.items() <= sample.labels.items()
        ]

    def value(self, name: str, /, **labels: str) -> float:
        """Return the value of the one sample of a metric that has these labels."""
        (found,) = self.values(name, **labels)
        return found

    def state(self, **labels: str) -> str:
        """Return the one state that is shown as true."""
        (found,) = [
            sample.labels["state"]
            for sample in self.all
            if sample.name == "event_brokers_state"
            and sample.value == 1
            and labels.items() <= sample.labels.items()
        ]
        return str(found)


def duplicates(samples: Iterable[Any]) -> list[Any]:
    """Return what stands there a second time, of which Prometheus would refuse the whole scrape."""
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    twice = []
    for sample in samples:
        key = sample.name, tuple(sorted(sample.labels.items()))
        if key in seen:
            twice.append(key)
        seen.add(key)
    return twice
