"""The rhythm of a bot in 50 conversations: 50 turns a second, evenly, of four events each.

The events of a turn are what the user said, two actions and what the bot answered.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.events import numbered

TURNS_A_SECOND = 50
EVENTS_A_TURN = 4


def turns(seconds: int) -> Iterator[list[dict[str, Any]]]:
    """Yield the events of each turn when its time has come.

    Parameters:
        seconds: for how long.
    """
    begun = time.perf_counter()
    for turn in range(seconds * TURNS_A_SECOND):
        events = _events_of(turn)
        if (early := begun + turn / TURNS_A_SECOND - time.perf_counter()) > 0:
            time.sleep(early)
        yield events


def _events_of(turn: int) -> list[dict[str, Any]]:
    sender = f"conversation-{turn % TURNS_A_SECOND}"
    events = numbered(turn * EVENTS_A_TURN, EVENTS_A_TURN)
    return [{**event, "sender_id": sender} for event in events]
