"""One bot in 50 conversations a second, the broker killed and started again in the middle.

A turn of a conversation is four events: what the user said, two actions and what the bot answered.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import event_brokers
from benchmarks.events import numbered
from benchmarks.measuring import latency_curve, percentiles
from benchmarks.task import Figures, Task
from benchmarks.turn import ask

_TURNS_A_SECOND = 50
_EVENTS_A_TURN = 4
_FLUSH_SECONDS = 300


def run(task: Task) -> Figures:
    """Measure each call of `publish`; the task counts in seconds.

    Settings: `durability` of the spool, where there is one.
    """
    turns = task.count * _TURNS_A_SECOND
    restart = threading.Thread(target=_restart)
    times: list[float] = []
    most_waiting = 0
    with event_brokers.connect(task.section_with_delivery()) as broker:
        begun = time.perf_counter()
        for turn in range(turns):
            if (early := begun + turn / _TURNS_A_SECOND - time.perf_counter()) > 0:
                time.sleep(early)
            if turn == turns // 2:
                restart.start()
            if turn % _TURNS_A_SECOND == 0:
                most_waiting = max(most_waiting, broker.status().pending)
            times += _take_turn(broker, _events_of(turn))
        restart.join()
        status = broker.flush(_FLUSH_SECONDS)
        if status.pending:
            raise RuntimeError(f"{status.pending} events were not delivered")
    measures = {**percentiles(times), "most waiting": float(most_waiting)}
    return Figures(measures, turns * _EVENTS_A_TURN, latency_curve(times))


def _restart() -> None:
    ask("kill")
    ask("recover")


def _events_of(turn: int) -> list[dict[str, Any]]:
    sender = f"conversation-{turn % _TURNS_A_SECOND}"
    events = numbered(turn * _EVENTS_A_TURN, _EVENTS_A_TURN)
    return [{**event, "sender_id": sender} for event in events]


def _take_turn(broker: event_brokers.EventBroker, events: list[dict[str, Any]]) -> list[float]:
    times = []
    for event in events:
        called = time.perf_counter()
        broker.publish(event)
        times.append(time.perf_counter() - called)
    return times
