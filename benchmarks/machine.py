"""Says on what machine, and with which versions, something was measured."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.results import Machine

_PACKAGES = (
    "event-brokers", "pika", "aio-pika", "kombu", "faststream", "kafka-python", "confluent-kafka",
    "SQLAlchemy", "psycopg", "PyMySQL",
)  # fmt: skip


def describe() -> Machine:
    """Return this machine, today."""
    return Machine(
        day=datetime.now(timezone.utc).date().isoformat(),
        python=platform.python_version(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)),
        packages={name: found for name in _PACKAGES if (found := _version(name))},
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
