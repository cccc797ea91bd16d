"""A bot that books a table: `event-brokers run -m examples/booking_bot`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from event_brokers_assistant import DialogueStateTracker, Message
from event_brokers_assistant.events import AllSlotsReset, Event, SlotSet

_PEOPLE = re.compile(r"\b(\d{1,2})\b")


def model(
    tracker: DialogueStateTracker, message: Message
) -> Iterator[str | dict[str, Any] | Event]:
    """Ask for the number of people and a name, then confirm.

    Parameters:
        tracker: what is known of the conversation.
        message: what the user just said.
    """
    people, name = tracker.get_slot("people"), None
    if people is None and (found := _PEOPLE.search(message.text)):
        people = int(found[1])
        yield SlotSet("people", people)
    elif people is not None:
        name = message.text.strip()
    if people is None:
        yield {
            "text": "Hello! For how many people may I book a table?",
            "buttons": [{"title": str(count), "payload": str(count)} for count in (2, 4, 6)],
        }
    elif not name:
        yield f"A table for {people}. Under which name?"
    else:
        yield SlotSet("name", name)
        yield f"Thank you, {name}. A table for {people} is booked."
        yield AllSlotsReset()
