"""What a tracker store is, and the one that keeps conversations in memory."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from itertools import islice
from typing import Any, Protocol

from event_brokers import Event as JSONEvent
from event_brokers_assistant.events import Event
from event_brokers_assistant.streaming import Broker, Stream, StreamStatus
from event_brokers_assistant.tracker import DialogueStateTracker, NewEvent

AT_ONCE = 500  # events that are handed to the broker together


class TrackerStore(Protocol):
    """Keeps conversations, and streams what is added to them; safe to use from any thread."""

    def get_or_create_tracker(self, sender_id: str) -> DialogueStateTracker:
        """Return the tracker of a conversation, an empty one where it is new."""

    def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Return the tracker of a conversation; None where there is none."""

    def save(self, tracker: DialogueStateTracker) -> None:
        """Store what was added since the last save, and then stream exactly that, in order.

        A broker that takes nothing is logged once per outage; the events stay due.

        Raises:
            InvalidEvent: JSON cannot say one of the events; nothing was stored.
            TrackerStoreError: the events could not be stored.
        """

    def keys(self) -> list[str]:
        """Return the sender_id of every conversation."""

    def stream_due(self) -> None:
        """Stream what is stored and could not be streamed before."""

    def status(self) -> StreamStatus:
        """Return whether the broker takes what is stored."""

    def close(self) -> None:
        """Release what the store holds; the broker stays open."""


class InMemoryTrackerStore:
    """A TrackerStore whose conversations end with the process.

    Parameters:
        domain: a domain as Rasa writes it, for the initial values of its `slots`.
        event_broker: gets every event that is saved; None streams nothing.
        db: without effect; Rasa's first documentation passes it.
    """

    def __init__(
        self,
        domain: Mapping[str, Any] | None = None,
        event_broker: Broker | None = None,
        db: object = None,  # noqa: ARG002 - accepted as the original did
    ) -> None:
        self._slots = initial_slots(domain)
        self._stream = Stream(event_broker)
        self._lock = threading.Lock()
        self._streaming = threading.Lock()
        self._events: dict[str, list[Event]] = defaultdict(list)
        self._due: deque[JSONEvent] = deque()

    def get_or_create_tracker(self, sender_id: str) -> DialogueStateTracker:
        """Do as TrackerStore says."""
        return self.retrieve(sender_id) or DialogueStateTracker(sender_id, self._slots)

    def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Do as TrackerStore says."""
        with self._lock:
            events = list(self._events.get(sender_id, ()))
        if not events:
            return None
        return DialogueStateTracker.from_stored(sender_id, events, self._slots)

    def save(self, tracker: DialogueStateTracker) -> None:
        """Do as TrackerStore says."""
        new = tracker.new_events
        stored = [stored_event(tracker.sender_id, each) for each in new]
        with self._lock:
            if new:
                self._events[tracker.sender_id] += [event for _, event in new]
            if self._stream.is_open:
                self._due.extend(stored)
        tracker.forget_new(len(new))
        self.stream_due()

    def keys(self) -> list[str]:
        """Do as TrackerStore says."""
        with self._lock:
            return list(self._events)

    def stream_due(self) -> None:
        """Do as TrackerStore says."""
        with self._streaming:
            while self._due:
                batch = list(islice(self._due.copy(), AT_ONCE))
                sent = self._stream.send(batch)
                for _ in range(sent):
                    self._due.popleft()
                if not sent:
                    return

    def status(self) -> StreamStatus:
        """Do as TrackerStore says."""
        return self._stream.status(len(self._due))

    def close(self) -> None:
        """Do as TrackerStore says."""


def initial_slots(domain: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the value that each slot of a domain begins with.

    Parameters:
        domain: as Rasa writes it: `{"slots": {"name": {"initial_value": 1}}}`; None has no slots.
    """
    slots: Mapping[str, Any] = (domain or {}).get("slots") or {}
    return {name: (slot or {}).get("initial_value") for name, slot in slots.items()}


def stored_event(sender_id: str, new: NewEvent) -> JSONEvent:
    """Return an event as it is stored and streamed, with `sender_id` as in Rasa's stream.

    Raises:
        InvalidEvent: JSON cannot say it.
    """
    body = {"sender_id": sender_id, **new.event.to_dict()} | {"sender_id": sender_id}
    return JSONEvent.from_dict(body, new.id)
