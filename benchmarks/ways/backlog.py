"""Fills a spool while the broker is down, then drains it: whether either slows down as it goes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import event_brokers
from benchmarks.events import numbered
from benchmarks.measuring import measured
from benchmarks.row import RATE
from benchmarks.task import Figures, Task

_AT_ONCE = 1_000
_TENTHS = 10
_LOOK_SECONDS = 0.02
_DRAIN_SECONDS = 1_200


def run(task: Task) -> Figures:
    """Measure both ways; the curve is events that waited, and events a second that left then.

    Settings: `durability` of the spool.
    """
    section = task.section_with_delivery()
    with measured() as filling:
        filled = _fill({**section, "type": "down"}, task.count)
    with measured() as draining:
        drained = _drain(section, task.count)
    rates_in, rates_out = _rates(filled, task.count), _rates(drained, task.count)
    measures = {
        f"in, {RATE}": task.count / filling.seconds,
        "in, first tenth": rates_in[0],
        "in, last tenth": rates_in[-1],
        f"out, {RATE}": task.count / (drained[-1] - drained[0]),
        "out, first tenth": rates_out[0],
        "out, last tenth": rates_out[-1],
        "grown MB": max(filling.grown_mb, draining.grown_mb),
    }
    left = [task.count * (_TENTHS - tenth) / _TENTHS for tenth in range(_TENTHS)]
    return Figures(measures, task.count, list(zip(left, rates_out, strict=True)))


def _fill(section: dict[str, Any], count: int) -> list[float]:
    """Return the moments at which each further tenth was in, and that of the beginning."""
    broker = event_brokers.connect({"type": "down", "delivery": section["delivery"]})
    moments = [time.perf_counter()]
    for first, size in _tenths(count):
        for at in range(first, first + size, _AT_ONCE):
            broker.publish_many(numbered(at, min(_AT_ONCE, first + size - at)))
        moments.append(time.perf_counter())
    broker.close(timeout=0)
    return moments


def _drain(section: dict[str, Any], count: int) -> list[float]:
    """Return the moments at which each further tenth was out, and that of the beginning."""
    with event_brokers.connect(section) as broker:
        while broker.status().state != "connected":
            time.sleep(_LOOK_SECONDS / 20)
        moments, looked, left = [time.perf_counter()], time.perf_counter(), 0
        deadline = looked + _DRAIN_SECONDS
        while left < count:
            time.sleep(_LOOK_SECONDS)
            now, delivered = time.perf_counter(), broker.status().delivered
            if now > deadline:
                raise RuntimeError(f"{delivered} of {count} events have left")
            while len(moments) <= _TENTHS and delivered >= (end := count * len(moments) // _TENTHS):
                # between two looks events leave at one rate
                moments.append(looked + (now - looked) * (end - left) / (delivered - left))
            looked, left = now, delivered
    return moments


def _tenths(count: int) -> Iterator[tuple[int, int]]:
    ends = [count * tenth // _TENTHS for tenth in range(_TENTHS + 1)]
    return ((first, end - first) for first, end in pairwise(ends))


def _rates(moments: Sequence[float], count: int) -> list[float]:
    sizes = [size for _, size in _tenths(count)]
    spans = [end - first for first, end in pairwise(moments)]
    return [size / max(span, 1e-9) for size, span in zip(sizes, spans, strict=True)]
