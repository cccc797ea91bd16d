"""Another process at the same spool: publishes some events with pauses, and waits until they left.

Started by `ways.idle`, with the section on standard input.
"""

from __future__ import annotations

import random
import sys
import time

import msgspec

import event_brokers

_PAUSES = (0.05, 0.25)  # seconds
_FLUSH_SECONDS = 30


def main() -> None:
    """Publish; each event holds the moment at which it was given."""
    with event_brokers.connect(msgspec.json.decode(sys.stdin.buffer.read())) as broker:
        for _ in range(int(sys.argv[1])):
            time.sleep(random.uniform(*_PAUSES))
            broker.publish({"sent": time.monotonic()})
        broker.flush(_FLUSH_SECONDS)


if __name__ == "__main__":
    main()
