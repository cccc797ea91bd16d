"""An assistant whose conversations are streamed: trackers, tracker stores, an agent.

::

    store = InMemoryTrackerStore(event_broker=event_brokers.connect("endpoints.yml"))
    agent = Agent(model, tracker_store=store)
    await agent.handle_text("hi")
"""

from typing import TYPE_CHECKING, Any

from event_brokers_assistant.agent import Agent
from event_brokers_assistant.errors import WITHOUT_SQL, ModelError, TrackerStoreError
from event_brokers_assistant.model import Message, Model
from event_brokers_assistant.stores import InMemoryTrackerStore, TrackerStore
from event_brokers_assistant.tracker import DialogueStateTracker

if TYPE_CHECKING:
    from event_brokers_assistant.sql_store import SQLTrackerStore

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


def __getattr__(name: str) -> Any:
    # the one name that needs SQLAlchemy, and with it the extra
    if name != "SQLTrackerStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from event_brokers_assistant.sql_store import SQLTrackerStore  # noqa: PLC0415 - as said
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"SQLTrackerStore {WITHOUT_SQL}") from error
    return SQLTrackerStore
