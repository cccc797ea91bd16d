"""However many workers share a spool, each of them shows the same of it, whoever delivers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from metric_samples import Samples
from waiting import next_line, wait_until

WORKERS, EVENTS = 4, 200
PROGRAM = """
import json, sys
import event_brokers
from event_brokers.metrics import EventBrokersCollector
from prometheus_client import CollectorRegistry, start_http_server

registry = CollectorRegistry()
registry.register(EventBrokersCollector())
server, _ = start_http_server(0, "127.0.0.1", registry)
broker = event_brokers.connect(json.loads(sys.argv[1]), name="conversations")
print(server.server_port, flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        broker.publish({"sender_id": "a", "n": number})
    print("published", flush=True)
"""
COUNTS = (
    "accepted_total", "delivered_total", "pending", "dead_letters", "queue_bytes",
    "oldest_pending_seconds", "spool_readable",
)  # fmt: skip


class Worker:
    """One process of several that publish into the same spool, and serve their metrics.

    Parameters:
        section: of the broker.
    """

    def __init__(self, section: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(section)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._url = f"http://127.0.0.1:{next_line(self._process)}/metrics"

    def publish(self, count: int) -> None:
        """Publish so many events."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()
        assert next_line(self._process) == "published"

    def shown(self) -> Samples:
        """Return what it serves now."""
        return Samples(httpx2.get(self._url, trust_env=False, timeout=30).text)

    def kill(self) -> None:
        """End it at once: SIGKILL."""
        self._process.kill()
        self._process.communicate()


def test_every_worker_shows_the_same_of_a_spool_and_its_own_of_what_it_measures(
    tmp_path: Path,
) -> None:
    """The maximum is right for counts, and the sum for what each measures of its own calls.

    It stays so when the process that delivers is killed and another one takes over.
    """
    section = {
        "type": "sql", "db": str(tmp_path / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    workers = [Worker(section) for _ in range(WORKERS)]
    try:
        for worker in workers:
            worker.publish(EVENTS)
        agree_on_delivered(workers, WORKERS * EVENTS)
        delivering = [worker for worker in workers if measured(worker)]
        assert [measured(worker) for worker in delivering] == [WORKERS * EVENTS]
        delivering[0].kill()
        left = [worker for worker in workers if worker is not delivering[0]]
        for worker in left:
            worker.publish(EVENTS)
        agree_on_delivered(left, (WORKERS + len(left)) * EVENTS)
        assert sum(measured(worker) for worker in left) == len(left) * EVENTS
    finally:
        for worker in workers:
            worker.kill()


def agree_on_delivered(workers: list[Worker], count: int) -> None:
    """Wait until all has been delivered and each of them shows the same, and hold what that is."""
    wait_until(lambda: workers[0].shown().value("delivered_total") == count, 60)
    found = wait_until(lambda: what_all_show(workers), 60)
    assert found is not None
    assert list(found)[:5] == ["connected", count, count, 0, 0]
    assert not any(worker.shown().values("delivered_total", scope="process") for worker in workers)


def what_all_show(workers: list[Worker]) -> tuple[object, ...] | None:
    """Return state and counts where all of them show the same; None where they do not yet."""
    shown = [worker.shown() for worker in workers]
    found = {
        (each.state(scope="spool"), *(each.value(name, scope="spool") for name in COUNTS))
        for each in shown
    }
    return found.pop() if len(found) == 1 else None


def measured(worker: Worker) -> float:
    """Return how many events the worker itself has seen confirmed."""
    return worker.shown().value("delivery_duration_seconds_count", name="conversations")
