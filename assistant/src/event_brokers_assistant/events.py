"""The events of a conversation: the 21 types that Rasa 3.6 serialises, each a struct.

Field names, defaults and what is written are those of `rasa.shared.core.events`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, get_args

import msgspec
from msgspec import field

from event_brokers import InvalidEvent

_OURS = "unknown_fields"
_TYPE_CHARACTERS = 255  # as Rasa's own tables


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """Base of every event type.

    Attributes:
        timestamp: when it happened, seconds since 1970; now unless given.
        metadata: what the application adds; written only where there is any.
        unknown_fields: what a dictionary held beside the fields of its type, kept as it was.
        optional: fields that are written only where they have a value.
    """

    optional: ClassVar[tuple[str, ...]] = ()

    timestamp: float = field(default_factory=time.time)
    metadata: dict[str, Any] | None = None
    unknown_fields: dict[str, Any] = {}

    @property
    def type(self) -> str:
        """The type's name in dictionaries, such as "user"."""
        return str(self.__struct_config__.tag)

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary that Rasa would write, and what it did not know of."""
        written: dict[str, Any] = {"event": self.type, "timestamp": self.timestamp}
        for name in ("metadata", *_own_fields(type(self))):
            value = getattr(self, name)
            if value is not None or name not in ("metadata", *self.optional):
                written[name] = value
        return written | self.unknown_fields


def _write_metadata(message: Event) -> None:
    if message.metadata is None:
        msgspec.structs.force_setattr(message, "metadata", {})


class UserUttered(Event, tag="user", frozen=True):
    """The user said something."""

    text: str | None = None
    parse_data: dict[str, Any] | None = None
    input_channel: str | None = None
    message_id: str | None = None

    def __post_init__(self) -> None:
        """Fill in what Rasa would, had it understood nothing."""
        _write_metadata(self)
        if self.parse_data is None:
            parse_data: dict[str, Any] = {
                "intent": {}, "entities": [], "text": self.text,
                "message_id": self.message_id, "metadata": self.metadata or {},
            }  # fmt: skip
            msgspec.structs.force_setattr(self, "parse_data", parse_data)


class BotUttered(Event, tag="bot", frozen=True):
    """The bot said something; `data` holds buttons, an image and the like."""

    text: str | None = None
    data: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Write the metadata of a message also where it is empty."""
        _write_metadata(self)


class ActionExecuted(Event, tag="action", frozen=True):
    """The bot executed an action."""

    name: str | None
    policy: str | None = None
    confidence: float | None = None
    action_text: str | None = None
    hide_rule_turn: bool = False


class SlotSet(Event, tag="slot", frozen=True):
    """A slot got a value; None empties it."""

    name: str
    value: Any = None


class SessionStarted(Event, tag="session_started", frozen=True):
    """A new session began; what was before does not count any more."""


class Restarted(Event, tag="restart", frozen=True):
    """The conversation begins anew."""


class UserUtteranceReverted(Event, tag="rewind", frozen=True):
    """Everything since the latest message of the user, and that message, is taken back."""


class ActionReverted(Event, tag="undo", frozen=True):
    """The latest action, and everything after it, is taken back."""


class AllSlotsReset(Event, tag="reset_slots", frozen=True):
    """Every slot has its initial value again."""


class FollowupAction(Event, tag="followup", frozen=True):
    """An action has to be executed next."""

    name: str


class ActiveLoop(Event, tag="active_loop", frozen=True):
    """A loop, such as a form, becomes active; None ends it."""

    name: str | None


class LoopInterrupted(Event, tag="loop_interrupted", frozen=True):
    """The active loop is interrupted, or goes on."""

    is_interrupted: bool


class ActionExecutionRejected(Event, tag="action_execution_rejected", frozen=True):
    """An action refused to be executed."""

    name: str
    policy: str | None = None
    confidence: float | None = None


class EntitiesAdded(Event, tag="entities", frozen=True):
    """Entities were found in the latest message."""

    entities: list[dict[str, Any]]


class DefinePrevUserUtteredFeaturization(Event, tag="user_featurization", frozen=True):
    """Whether a policy looks at the text or at the intent of the latest message."""

    use_text_for_featurization: bool


class ReminderScheduled(Event, tag="reminder", frozen=True):
    """An intent is to be triggered at a time, ISO 8601."""

    intent: str | None
    date_time: str
    entities: list[dict[str, Any]] | dict[str, Any] | None = None
    name: str | None = None
    kill_on_user_msg: bool = True


class ReminderCancelled(Event, tag="cancel_reminder", frozen=True):
    """Reminders are cancelled: those with all that is given, or every one."""

    optional = ("name", "intent", "entities")

    name: str | None = None
    intent: str | None = None
    entities: list[dict[str, Any]] | dict[str, Any] | None = None


class ConversationPaused(Event, tag="pause", frozen=True):
    """The bot is silent from here on; a person may have taken over."""


class ConversationResumed(Event, tag="resume", frozen=True):
    """The bot answers again."""


class StoryExported(Event, tag="export", frozen=True):
    """The conversation was written as a story."""

    optional = ("path",)

    path: str | None = None


class AgentUttered(Event, tag="agent", frozen=True):
    """A person, in the bot's place, said something."""

    text: str | None = None
    data: Any = None


KnownEvent = (
    UserUttered
    | BotUttered
    | ActionExecuted
    | SlotSet
    | SessionStarted
    | Restarted
    | UserUtteranceReverted
    | ActionReverted
    | AllSlotsReset
    | FollowupAction
    | ActiveLoop
    | LoopInterrupted
    | ActionExecutionRejected
    | EntitiesAdded
    | DefinePrevUserUtteredFeaturization
    | ReminderScheduled
    | ReminderCancelled
    | ConversationPaused
    | ConversationResumed
    | StoryExported
    | AgentUttered
)


class UnknownEvent(Event, frozen=True):
    """An event of a type that nobody here knows: kept, stored and streamed as it is.

    Attributes:
        fields: its dictionary.
    """

    fields: dict[str, Any]

    @property
    def type(self) -> str:
        """What the dictionary names as its type."""
        return str(self.fields["event"])

    def to_dict(self) -> dict[str, Any]:
        """Return the dictionary that it came as."""
        return dict(self.fields)


_TYPES: dict[str, type[Event]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(KnownEvent)
}


def from_dict(event: Mapping[str, Any]) -> Event:
    """Return the event that a dictionary stands for.

    Parameters:
        event: as Rasa serialises it; a `timestamp` that is missing or null is now.

    Raises:
        InvalidEvent: it names no type, or a field is missing or of a wrong type.
    """
    if not isinstance(event, Mapping):
        raise InvalidEvent("event: not a dictionary")
    type_name = event.get("event")
    if not isinstance(type_name, str) or not type_name:
        raise InvalidEvent("event.event: missing; name the event's type, such as 'user'")
    if len(type_name) > _TYPE_CHARACTERS or not type_name.isprintable():
        raise InvalidEvent(f"event.event: give at most {_TYPE_CHARACTERS} printable characters")
    kind = _TYPES.get(type_name)
    if kind is None:
        return UnknownEvent(fields=dict(event))
    names = ("timestamp", "metadata", *_own_fields(kind))
    known = {name: event[name] for name in names if name in event}
    if known.get("timestamp", 0) is None:
        del known["timestamp"]
    rest = {name: event[name] for name in event if name not in known and name not in _COMMON}
    try:
        converted = msgspec.convert({"event": type_name, **known}, kind)
    except msgspec.ValidationError as error:
        raise InvalidEvent(_word_mistake(error)) from error
    return msgspec.structs.replace(converted, unknown_fields=rest) if rest else converted


_COMMON = ("event", "timestamp", "metadata")


def _own_fields(kind: type[Event]) -> tuple[str, ...]:
    return tuple(
        name for name in kind.__struct_fields__ if name not in ("timestamp", "metadata", _OURS)
    )


def _word_mistake(error: msgspec.ValidationError) -> str:
    text, _, path = str(error).partition(" - at `$")
    text = text.replace("`", "'")
    return f"event{path.rstrip('`')}: {text[:1].lower()}{text[1:]}"
