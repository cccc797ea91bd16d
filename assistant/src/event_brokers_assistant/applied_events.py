"""Which events of a conversation still count, after what was restarted, rewound or undone.

The rules are those of `DialogueStateTracker.applied_events` in Rasa 3.6.
"""

from __future__ import annotations

from collections.abc import Sequence

from event_brokers_assistant.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActionReverted,
    ActiveLoop,
    DefinePrevUserUtteredFeaturization,
    Event,
    Restarted,
    SessionStarted,
    UserUtteranceReverted,
    UserUttered,
)


def applied_events(events: Sequence[Event]) -> list[Event]:
    """Return the events that make up the state of the conversation.

    Parameters:
        events: everything that happened, in order.
    """
    loops = {event.name for event in events if isinstance(event, ActiveLoop) and event.name}
    applied: list[Event] = []
    for event in events:
        match event:
            case Restarted() | SessionStarted():
                applied = []
            case ActionReverted():
                _take_back(applied, ActionExecuted)
            case UserUtteranceReverted():
                # before a message there always was the action that listened for it
                _take_back(applied, UserUttered)
                _take_back(applied, ActionExecuted)
            case ActionExecuted(name=str(name)) if name in loops and _continues(name, applied):
                _take_back_to_loop(applied, name)
            case _:
                applied.append(event)
    return applied


def _take_back(applied: list[Event], kind: type[Event]) -> None:
    while applied:
        if isinstance(applied.pop(), kind):
            return


def _continues(loop: str, applied: Sequence[Event]) -> bool:
    """Return whether a loop is executed once more, with nothing else in between."""
    later: str | None = None
    for event in reversed(applied):
        match event:
            case ActiveLoop(name=None):
                return False
            case ActionExecutionRejected(name=name) if name == loop:
                return False
            case UserUttered() if later is not None and later != loop:
                return False
            case ActionExecuted(name=name) if name == loop:
                return True
            case ActionExecuted(name=name):
                later = name
    return False


def _take_back_to_loop(applied: list[Event], loop: str) -> None:
    """Take back what the loop's latest execution has led to; slots and the like stay."""
    latest = max(
        index
        for index, event in enumerate(applied)
        if isinstance(event, ActionExecuted) and event.name == loop
    )
    applied[latest + 1 :] = [
        event for event in applied[latest + 1 :] if not isinstance(event, _TURNS)
    ]


_TURNS = (ActionExecuted, UserUttered, DefinePrevUserUtteredFeaturization)
