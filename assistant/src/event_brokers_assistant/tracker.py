"""The state of one conversation, made of its events alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from event_brokers import InvalidEvent
from event_brokers.event_ids import new_id
from event_brokers_assistant.applied_events import applied_events
from event_brokers_assistant.events import (
    ActionExecuted,
    ActionExecutionRejected,
    ActionReverted,
    ActiveLoop,
    AllSlotsReset,
    BotUttered,
    ConversationPaused,
    ConversationResumed,
    EntitiesAdded,
    Event,
    FollowupAction,
    LoopInterrupted,
    Restarted,
    SessionStarted,
    SlotSet,
    UserUtteranceReverted,
    UserUttered,
)

ACTION_LISTEN = "action_listen"
ACTION_SESSION_START = "action_session_start"
_SENDER_ID_CHARACTERS = 255  # as Rasa's own tables


class NewEvent(NamedTuple):
    """An event that no store has yet.

    Attributes:
        id: stays with it, in the store and at the broker.
        event: the event.
    """

    id: str
    event: Event


@dataclass
class Loop:
    """The active loop, such as a form.

    Attributes:
        name: its name.
        is_interrupted: whether the user left its path.
        rejected: whether it refused to be executed.
        trigger_message: the parse data of the message that activated it.
    """

    name: str
    is_interrupted: bool = False
    rejected: bool = False
    trigger_message: dict[str, Any] | None = None


def checked_sender_id(sender_id: str) -> str:
    """Return the name of a conversation, if every database and log can hold and tell it apart.

    Parameters:
        sender_id: the name.

    Raises:
        InvalidEvent: it is not usable.
    """
    if not sender_id.isprintable() or sender_id != sender_id.strip() or not sender_id:
        raise InvalidEvent("sender_id: give printable characters without a blank at either end")
    if len(sender_id) > _SENDER_ID_CHARACTERS:
        raise InvalidEvent(f"sender_id: longer than {_SENDER_ID_CHARACTERS} characters")
    return sender_id


class DialogueStateTracker:
    """Keeps the events of one conversation and the state they lead to, by the rules of Rasa 3.6.

    Parameters:
        sender_id: the conversation.
        slots: name -> value of the slots that have one before anything happens.

    Raises:
        InvalidEvent: the sender_id is not usable.

    Attributes:
        events: everything that happened, in order.
        slots: name -> current value.
        active_loop: the loop that is active; None without one.
        paused: whether the bot is silent.
        latest_message: what the user said last; None before.
        latest_bot_utterance: what the bot said last; None before.
        followup_action: the action that has to be executed next; None where that is open.
    """

    def __init__(self, sender_id: str, slots: Mapping[str, Any] | None = None) -> None:
        self.sender_id = checked_sender_id(sender_id)
        self.events: list[Event] = []
        self._new: list[NewEvent] = []
        self._initial_slots = dict(slots or {})
        self.slots: dict[str, Any] = {}
        self._reset()

    @classmethod
    def from_stored(
        cls, sender_id: str, events: Iterable[Event], slots: Mapping[str, Any] | None = None
    ) -> DialogueStateTracker:
        """Return the tracker of a conversation that a store has.

        Parameters:
            sender_id: the conversation.
            events: everything that happened, in order.
            slots: as for the class.
        """
        tracker = cls(sender_id, slots)
        for event in events:
            tracker._log(event)
        return tracker

    def update(self, event: Event) -> None:
        """Add an event, and change the state accordingly."""
        self._new.append(NewEvent(new_id(), event))
        self._log(event)

    @property
    def new_events(self) -> list[NewEvent]:
        """What was added since the last save."""
        return list(self._new)

    def forget_new(self, count: int) -> None:
        """Note that a store has the oldest of the new events.

        Parameters:
            count: how many.
        """
        del self._new[:count]

    def events_after_latest_restart(self) -> list[Event]:
        """Return what happened after the latest restart, or all where there was none."""
        restarts = [
            index for index, event in enumerate(self.events) if isinstance(event, Restarted)
        ]
        return self.events[restarts[-1] + 1 :] if restarts else list(self.events)

    def applied_events(self) -> list[Event]:
        """Return the events that still count, without those that were taken back."""
        return applied_events(self.events)

    def get_slot(self, name: str) -> Any:
        """Return the value of a slot; None where it has none."""
        return self.slots.get(name)

    @property
    def latest_input_channel(self) -> str | None:
        """The channel by which the latest message came."""
        messages = (event for event in reversed(self.events) if isinstance(event, UserUttered))
        latest = next(messages, None)
        return latest.input_channel if latest else None

    def current_state(self, events: Iterable[Event] | None = None) -> dict[str, Any]:
        """Return the state as Rasa's HTTP API writes it.

        Parameters:
            events: those to write with it; None writes none.
        """
        latest = self.latest_message or UserUttered()
        written = None if events is None else [event.to_dict() for event in events]
        return {
            "sender_id": self.sender_id,
            "slots": dict(self.slots),
            "latest_message": {**(latest.parse_data or {}), "entities": list(self._entities)},
            "latest_event_time": self.events[-1].timestamp if self.events else None,
            "followup_action": self.followup_action,
            "paused": self.paused,
            "events": written,
            "latest_input_channel": self.latest_input_channel,
            "active_loop": asdict(self.active_loop) if self.active_loop else {},
            "latest_action": dict(self._latest_action),
            "latest_action_name": self.latest_action_name,
        }

    @property
    def latest_action_name(self) -> str | None:
        """The action that was executed last, or its text; None before."""
        return next(iter(self._latest_action.values()), None)

    def _log(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, (UserUtteranceReverted, ActionReverted)):
            self._reset()
            for applied in self.applied_events():
                self._apply(applied)
            return
        self._apply(event)

    def _reset(self) -> None:
        self._reset_slots()
        self.paused = False
        self.latest_message: UserUttered | None = None
        self.latest_bot_utterance: BotUttered | None = None
        self.followup_action: str | None = ACTION_LISTEN
        self.active_loop: Loop | None = None
        self._latest_action: dict[str, str] = {}
        self._entities: list[dict[str, Any]] = []

    def _apply(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case per type of event
        match event:
            case UserUttered():
                self._apply_message(event)
            case BotUttered():
                self.latest_bot_utterance = event
            case ActionExecuted():
                self._apply_action(event)
            case SlotSet():
                self.slots[event.name] = event.value
            case EntitiesAdded():
                self._add_entities(event)
            case AllSlotsReset():
                self._reset_slots()
            case SessionStarted():
                self._reset()
            case Restarted():
                self._reset()
                self.followup_action = ACTION_SESSION_START
            case FollowupAction():
                self.followup_action = event.name
            case ConversationPaused():
                self.paused = True
            case ConversationResumed():
                self.paused = False
            case ActiveLoop():
                self.active_loop = self._loop(event.name)
            case LoopInterrupted() if self.active_loop:
                self.active_loop.is_interrupted = event.is_interrupted
            case ActionExecutionRejected() if self.active_loop:
                self.active_loop.rejected |= event.name == self.active_loop.name

    def _apply_message(self, event: UserUttered) -> None:
        self.latest_message = event
        self.followup_action = None
        found = (event.parse_data or {}).get("entities")
        # what somebody else has understood may be any JSON
        self._entities = list(found) if isinstance(found, list) else []

    def _apply_action(self, event: ActionExecuted) -> None:
        name = {"action_name": event.name} if event.name else {"action_text": event.action_text}
        self._latest_action = {key: text for key, text in name.items() if text}
        self.followup_action = None
        if self.active_loop is None:
            return
        self.active_loop.is_interrupted = False
        if event.name == self.active_loop.name:
            self.active_loop.rejected = False

    def _add_entities(self, event: EntitiesAdded) -> None:
        # they belong to a message, and after one there is only the action that listened for it
        if self.latest_action_name == ACTION_LISTEN and self.latest_message:
            self._entities += [found for found in event.entities if found not in self._entities]

    def _reset_slots(self) -> None:
        self.slots = dict.fromkeys(self.slots) | self._initial_slots

    def _loop(self, name: str | None) -> Loop | None:
        if name is None:
            return None
        message = self.latest_message
        return Loop(name, trigger_message=message.parse_data if message else None)
