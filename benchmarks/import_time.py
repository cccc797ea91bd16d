"""Measure how long `import event_brokers` takes: python benchmarks/import_time.py.

The promise is under 50 ms. It is measured here rather than asserted by a test, because a busy
machine would make such a test fail for no fault of the code.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

RUNS = 21
PROGRAM = """
import time
start = time.perf_counter()
import event_brokers
print(time.perf_counter() - start)
"""


def seconds() -> float:
    """Return what one import takes in a process of its own, in seconds."""
    command = [sys.executable, "-c", PROGRAM]
    return float(subprocess.run(command, capture_output=True, check=True, text=True).stdout)


def main() -> None:
    """Import in several processes, and print the median and the extremes."""
    seconds()  # the first one fills the cache of the disk
    times = sorted(seconds() * 1000 for _ in range(RUNS))
    print(
        f"import event_brokers: median {statistics.median(times):.1f} ms, "
        f"from {times[0]:.1f} to {times[-1]:.1f} ms in {RUNS} runs; promised: under 50 ms"
    )


if __name__ == "__main__":
    main()
