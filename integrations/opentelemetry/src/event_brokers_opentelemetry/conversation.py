"""The fields of an event that OTLP has no place for: which conversation it is of, and its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from event_brokers.signal_handlers import is_from_signal_handler
from event_brokers_opentelemetry.losses import Losses
from event_brokers_opentelemetry.otlp_values import text

_Emitted = TypeVar("_Emitted")

OPERATION = "gen_ai.operation.name"  # chat, execute_tool, invoke_agent and others
_CONVERSATION = ("gen_ai.conversation.id", "session.id")


def event_fields(
    emitted: _Emitted,
    find_sender_id: Callable[[_Emitted], str | None] | None,
    kind: str,
    timestamp: float | None,
    losses: Losses,
) -> dict[str, Any]:
    """Return `sender_id`, where one is known, `event` and `timestamp`.

    Parameters:
        emitted: a span or log record.
        find_sender_id: the application's own way to tell the conversation.
        kind: what `event` says.
        timestamp: seconds since 1970.
        losses: takes note of what is left out or changed.
    """
    sender_id = _sender_id(emitted, find_sender_id, losses)
    fields: dict[str, Any] = {} if sender_id is None else {"sender_id": sender_id}
    fields["event"] = kind
    if timestamp is not None:
        fields["timestamp"] = timestamp
    return fields


def conversation_of(attributes: Mapping[str, Any] | None) -> Any:
    """Return what the attributes say of the conversation, or None.

    Parameters:
        attributes: of a span or log record.
    """
    found = ((attributes or {}).get(name) for name in _CONVERSATION)
    return next((value for value in found if value not in (None, "")), None)


def _sender_id(
    emitted: _Emitted, find_sender_id: Callable[[_Emitted], str | None] | None, losses: Losses
) -> str | None:
    try:
        found: Any = find_sender_id(emitted) if find_sender_id else _of_attributes(emitted)
    except Exception as error:
        if is_from_signal_handler(error):
            raise
        losses.left_out(f"the sender_id, for its function raised {type(error).__name__}")
        return None
    if found is None:
        return None
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return text(found, losses) or None


def _of_attributes(emitted: Any) -> Any:
    # a log record of the SDK is one of the API, and what belongs to it
    return conversation_of(getattr(emitted, "log_record", emitted).attributes)
