"""Kafka's own producer performance tool, which comes with it: records of 304 bytes, acks=all.

Its records carry no numbers, keys and headers, and there is no JSON to make: it is what a JVM alone
can do with this server. The rate is the one that it prints.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from benchmarks.row import RATE
from benchmarks.task import Figures, Task

_RECORD_BYTES = 304
_SUMMARY = re.compile(r"(\d+) records sent, ([\d.,]+) records/sec .* avg latency.* 50th")


def run(task: Task) -> Figures:
    """Return what the tool prints of its run.

    Settings: `libraries`, the folder of Kafka's jars; `options` of the producer, such as
    `linger.ms=5`.
    """
    libraries = Path(task.settings["libraries"])
    done = subprocess.run(
        [
            "java", "-Xmx512m", "-cp", f"{libraries}/*",
            "org.apache.kafka.tools.ProducerPerformance",
            "--topic", task.section["topic"], "--num-records", str(task.count),
            "--record-size", str(_RECORD_BYTES), "--throughput", "-1",
            "--producer-props", f"bootstrap.servers={task.section['url']}", "acks=all",
            *task.settings.get("options", ()),
        ],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )  # fmt: skip
    found = _SUMMARY.search(done.stdout)
    if found is None:
        raise RuntimeError(f"its output has no summary: {done.stdout[-200:]!r}")
    return Figures({RATE: float(found[2].replace(",", ""))}, task.count)
