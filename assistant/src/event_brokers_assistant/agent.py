"""The agent: from a message to the bot's answer, with everything that happened saved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from event_brokers_assistant.events import (
    ActionExecuted,
    BotUttered,
    Event,
    SessionStarted,
    UserUttered,
)
from event_brokers_assistant.model import Message, Model, as_message, ask, echo
from event_brokers_assistant.stores import InMemoryTrackerStore, TrackerStore
from event_brokers_assistant.tracker import (
    ACTION_LISTEN,
    ACTION_SESSION_START,
    DialogueStateTracker,
    checked_sender_id,
)


class Agent:
    """Holds conversations: one message at a time in each of them, many at once over all.

    Parameters:
        model: answers; an echo bot that says that it is one if None. See
            `event_brokers_assistant.model.Model` for what it may return.
        tracker_store: keeps the conversations and streams their events; in memory if None.
    """

    def __init__(
        self, model: Model | None = None, tracker_store: TrackerStore | None = None
    ) -> None:
        self._model = model or echo
        self.tracker_store = tracker_store or InMemoryTrackerStore()
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def handle_text(
        self, text: str, sender_id: str = "default", metadata: dict[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """Answer what a user said.

        Parameters:
            text: the words.
            sender_id: the conversation.
            metadata: kept with the message.

        Raises:
            ModelError: the model failed; what the user said is saved.
            TrackerStoreError: the conversation cannot be read or saved.
            InvalidEvent: JSON cannot say the message.
        """
        return await self.handle_message(Message(text, sender_id, metadata=metadata or {}))

    async def handle_message(self, message: Message) -> list[dict[str, Any]]:
        """Answer a message; see `handle_text`.

        Parameters:
            message: what was said, by whom, and how it came.
        """
        said: list[dict[str, Any]] = []

        async def answer(tracker: DialogueStateTracker) -> None:
            _log_message(tracker, message)
            if tracker.paused:
                return
            for event in await ask(self._model, tracker, message):
                tracker.update(event)
                if isinstance(event, BotUttered):
                    said.append(as_message(message.sender_id, event))
            tracker.update(ActionExecuted(ACTION_LISTEN))

        await self._change(message.sender_id, answer)
        return said

    async def log_message(self, message: Message) -> DialogueStateTracker:
        """Save a message without answering it, and return the tracker.

        Parameters:
            message: what was said.
        """

        async def log(tracker: DialogueStateTracker) -> None:
            _log_message(tracker, message)

        return await self._change(message.sender_id, log)

    async def append_events(self, sender_id: str, events: Iterable[Event]) -> DialogueStateTracker:
        """Save events of another source, and return the tracker.

        Parameters:
            sender_id: the conversation.
            events: in order.
        """

        async def append(tracker: DialogueStateTracker) -> None:
            for event in events:
                tracker.update(event)

        return await self._change(sender_id, append)

    async def tracker(self, sender_id: str) -> DialogueStateTracker:
        """Return the tracker of a conversation, an empty one where it is new.

        Parameters:
            sender_id: the conversation.

        Raises:
            InvalidEvent: the sender_id is not usable.
            TrackerStoreError: the conversation cannot be read.
        """
        return await asyncio.to_thread(
            self.tracker_store.get_or_create_tracker, checked_sender_id(sender_id)
        )

    async def _change(
        self, sender_id: str, change: Callable[[DialogueStateTracker], Any]
    ) -> DialogueStateTracker:
        """Let nobody else change the conversation meanwhile; save also what a failure leaves."""
        lock = self._locks.setdefault(sender_id, asyncio.Lock())
        async with lock:
            tracker = await self.tracker(sender_id)
            try:
                await change(tracker)
            finally:
                await asyncio.to_thread(self.tracker_store.save, tracker)
        return tracker


def _log_message(tracker: DialogueStateTracker, message: Message) -> None:
    if not tracker.applied_events():
        tracker.update(ActionExecuted(ACTION_SESSION_START, confidence=1.0))
        tracker.update(SessionStarted())
        tracker.update(ActionExecuted(ACTION_LISTEN))
    tracker.update(
        UserUttered(
            message.text,
            message.parse_data,
            message.input_channel,
            uuid4().hex,
            metadata=message.metadata,
        )
    )
