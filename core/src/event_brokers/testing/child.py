"""A process of its own for what would harm the one that checks: it reads one task, and does it.

Run as `python -m event_brokers.testing.child`, with the task as JSON on standard input. What it
has found goes to standard output, as JSON in one line.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_DESCRIPTORS = Path("/dev/fd")  # on Linux and macOS
_SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.05
_WARM_UP_CYCLES = 3


def main() -> None:
    """Do the task that standard input names."""
    task = json.load(sys.stdin)
    sys.path[:] = task["path"]
    found = _TASKS[task["name"]](task)
    _say(found)


def _publish_and_be_killed(task: Mapping[str, Any]) -> None:
    """Publish a batch, and be killed on the line after."""
    plugin, options = _load(task)
    connection = plugin.hook.connect(options=options, used=set())
    plugin.hook.publish(connection=connection, events=_events(task))
    os.kill(os.getpid(), signal.SIGKILL)


def _cycle(task: Mapping[str, Any]) -> dict[str, Any]:
    """Connect, publish an event and close, again and again; return what is left of it."""
    plugin, options = _load(task)

    def connect_and_close() -> None:
        connection = plugin.hook.connect(options=options, used=set())
        plugin.hook.publish(connection=connection, events=_events(task))
        plugin.hook.close(connection=connection)

    return _left_after(connect_and_close, task["cycles"])


def _fail_to_connect(task: Mapping[str, Any]) -> dict[str, Any]:
    """Fail to connect, again and again; return what is left of it."""
    plugin, options = _load(task)

    def connect() -> None:
        try:
            connection = plugin.hook.connect(options=options, used=set())
        except Exception:  # noqa: BLE001 - whatever it raises, it has to leave nothing
            return
        plugin.hook.close(connection=connection)

    return _left_after(connect, task["cycles"])


def _left_after(act: Any, cycles: int) -> dict[str, Any]:
    """Return what there is more after many rounds than after some."""
    for _ in range(_WARM_UP_CYCLES):
        act()
    before = _held()
    for _ in range(cycles):
        act()
    deadline = time.monotonic() + _SETTLE_SECONDS
    while _is_more(_held(), before) and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        gc.collect()
    after = _held()
    return {name: after[name] - before[name] for name in after}


def _held() -> dict[str, int]:
    descriptors = len(os.listdir(_DESCRIPTORS)) if _DESCRIPTORS.exists() else 0  # noqa: PTH208
    return {"threads": threading.active_count(), "sockets or files": descriptors}


def _is_more(now: Mapping[str, int], before: Mapping[str, int]) -> bool:
    return any(now[name] > before[name] for name in now)


def _fork(task: Mapping[str, Any]) -> dict[str, Any]:
    """Publish before a fork, in the child, and in the parent after it, by one broker."""
    # imported here: not before it is measured what importing the plugin brings in
    from event_brokers.broker import EventBroker  # noqa: PLC0415
    from event_brokers.testing.loading import load_plugin, make_settings  # noqa: PLC0415

    plugin = load_plugin(task["type"], task["entry_point"])
    first, of_the_child, last = _events(task)
    broker = EventBroker(make_settings(plugin, task["options"]))
    broker.accept([first])
    before = broker.flush(task["flush_seconds"])
    child = os.fork()
    if not child:
        broker.accept([of_the_child])
        left = broker.flush(task["flush_seconds"])
        os._exit(0 if left.pending == 0 else 1)
    _, code = os.waitpid(child, 0)
    broker.accept([last])
    after = broker.flush(task["flush_seconds"])
    broker.close(task["flush_seconds"])
    return {
        "before": before.pending,
        "in the child": os.waitstatus_to_exitcode(code),
        "after": after.pending,
        "last error": after.last_error,
    }


def _import(task: Mapping[str, Any]) -> dict[str, Any]:
    """Import the plugin, and return what that took and began."""
    from event_brokers.import_cost import measure  # noqa: PLC0415 - before the clock
    from event_brokers.testing.loading import load_plugin  # noqa: PLC0415 - as above

    cost = measure(lambda: load_plugin(task["type"], task["entry_point"]))
    return {"seconds": cost.seconds, "threads": cost.threads, "network": cost.network}


def _load(task: Mapping[str, Any]) -> tuple[Any, Any]:
    """Return the plugin, and the options as the core hands them to it."""
    from event_brokers.testing.loading import load_plugin, make_settings  # noqa: PLC0415

    plugin = load_plugin(task["type"], task["entry_point"])
    return plugin, make_settings(plugin, task["options"]).options


def _events(task: Mapping[str, Any]) -> list[Any]:
    from event_brokers.event import Event  # noqa: PLC0415 - as in _fork

    return [Event.from_dict(body, event_id) for event_id, body in task["events"]]


def _say(found: Any) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()


_TASKS = {
    "publish and be killed": _publish_and_be_killed,
    "cycle": _cycle,
    "fail to connect": _fail_to_connect,
    "fork": _fork,
    "import": _import,
}


if __name__ == "__main__":
    main()
