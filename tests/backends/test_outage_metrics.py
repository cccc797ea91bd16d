"""What `/metrics` says during an outage of each real broker is what happens."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx2
import pytest

import event_brokers
from command import Commands
from metric_samples import Samples
from servers.backends import Backend
from waiting import next_line, wait_until

BEFORE, DURING, AFTER = 500, 300, 50


class Scraped:
    """A process of its own that serves the metrics of a spool.

    Parameters:
        commands: where endpoints.yml is.
    """

    def __init__(self, commands: Commands) -> None:
        self._process = commands.start("metrics", "--serve", "--port", "0")
        self._url = next_line(self._process).removeprefix("metrics at ")

    def now(self) -> Samples:
        """Return what is served now."""
        return Samples(httpx2.get(self._url, trust_env=False, timeout=30).text)

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


def publishing(broker: event_brokers.EventBroker, count: int) -> None:
    """Publish from several threads, as workers do."""

    def publish() -> None:
        for number in range(count // 10):
            broker.publish({"sender_id": "a", "number": number})

    threads = [threading.Thread(target=publish) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_an_outage_shows_as_it_begins_and_as_it_ends(
    backend: Backend, commands: Commands, tmp_path: Path
) -> None:
    """State and what waits, the reason class, and at last delivered = published."""
    if backend.server is None:
        pytest.skip("a file has no server that could be killed")
    delivery: dict[str, Any] = {"delivery": {"spool": str(tmp_path / "spool")}}
    section = {**backend.section, **delivery}
    commands.broker(section)
    scraped = Scraped(commands)
    try:
        with event_brokers.connect(section) as broker:
            publishing(broker, BEFORE)
            wait_until(lambda: scraped.now().value("delivered_total") == BEFORE, 60)
            shown = scraped.now()
            assert (shown.state(), shown.value("pending")) == ("connected", 0)
            assert shown.value("last_confirm_age_seconds") >= 0

            backend.server.kill()
            publishing(broker, DURING)
            wait_until(lambda: scraped.now().state() == "retrying", 60)
            shown = scraped.now()
            waiting = shown.value("pending")
            assert 0 < waiting <= DURING
            assert shown.value("delivered_total") == BEFORE + DURING - waiting
            assert shown.value("oldest_pending_seconds") > 0
            publishing(broker, AFTER)
            assert scraped.now().value("pending") == waiting + AFTER

            backend.server.restart()
            wait_until(lambda: scraped.now().value("pending") == 0, 90)
            wait_until(lambda: scraped.now().state() == "connected")
            shown = scraped.now()
            published = BEFORE + DURING + AFTER
            assert shown.value("delivered_total") == shown.value("accepted_total") == published
            assert shown.value("dead_letters") == 0
            assert shown.value("oldest_pending_seconds") == 0
    finally:
        scraped.end()
    arrived = {found.event_id for found in backend.read()}
    assert len(arrived) == BEFORE + DURING + AFTER
