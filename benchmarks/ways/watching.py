"""What a process that publishes is watched with, until it ends."""

from __future__ import annotations

import threading
import time

import prometheus_client

from event_brokers import telemetry
from event_brokers.metrics import EventBrokersCollector

_SECONDS = 1.0  # between two scrapes; monitors are content with 15


def begin(how: str | None) -> None:
    """Watch the process as an application's monitor does.

    Parameters:
        how: "scraped", for Prometheus; "instrumented", for OpenTelemetry, without an SDK; None for
            nothing.
    """
    if how == "scraped":
        threading.Thread(target=_scrape, daemon=True).start()
    if how == "instrumented":
        telemetry.instrument()


def _scrape() -> None:
    registry = prometheus_client.CollectorRegistry()
    registry.register(EventBrokersCollector())
    while True:
        prometheus_client.generate_latest(registry)
        time.sleep(_SECONDS)
