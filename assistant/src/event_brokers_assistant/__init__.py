"""An assistant whose conversations are streamed: trackers, tracker stores, an agent.

::

    store = InMemoryTrackerStore(event_broker=event_brokers.connect("endpoints.yml"))
    agent = Agent(model, tracker_store=store)
    await agent.handle_text("hi")
"""

from event_brokers_assistant.agent import Agent
from event_brokers_assistant.errors import ModelError, TrackerStoreError
from event_brokers_assistant.model import Message, Model
from event_brokers_assistant.sql_store import SQLTrackerStore
from event_brokers_assistant.stores import InMemoryTrackerStore, TrackerStore
from event_brokers_assistant.tracker import DialogueStateTracker

__all__ = [
    "Agent",
    "DialogueStateTracker",
    "InMemoryTrackerStore",
    "Message",
    "Model",
    "ModelError",
    "SQLTrackerStore",
    "TrackerStore",
    "TrackerStoreError",
]
