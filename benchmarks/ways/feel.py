"""One bot in 50 conversations, the broker killed and started again in the middle."""

from __future__ import annotations

import threading

import event_brokers
from benchmarks.measuring import latency_curve, percentiles, time_calls
from benchmarks.task import Figures, Task
from benchmarks.turn import ask
from benchmarks.ways.rhythm import EVENTS_A_TURN, TURNS_A_SECOND, turns

_FLUSH_SECONDS = 300


def run(task: Task) -> Figures:
    """Measure each call of `publish`; the task counts in seconds.

    Settings: `durability` of the spool, where there is one.
    """
    restart = threading.Thread(target=_restart)
    middle = task.count * TURNS_A_SECOND // 2
    times: list[float] = []
    most_waiting = 0
    with event_brokers.connect(task.section_with_delivery()) as broker:
        for turn, events in enumerate(turns(task.count)):
            times += time_calls(broker.publish, events)
            if turn == middle:
                restart.start()
            if turn % TURNS_A_SECOND == 0:
                most_waiting = max(most_waiting, broker.status().pending)
        restart.join()
        status = broker.flush(_FLUSH_SECONDS)
        if status.pending:
            raise RuntimeError(f"{status.pending} events were not delivered")
    measures = {**percentiles(times), "most waiting": float(most_waiting)}
    sent = task.count * TURNS_A_SECOND * EVENTS_A_TURN
    return Figures(measures, sent, latency_curve(times))


def _restart() -> None:
    ask("kill")
    ask("recover")
