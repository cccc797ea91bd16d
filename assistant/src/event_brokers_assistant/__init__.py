"""An assistant whose conversations are streamed: trackers, tracker stores, an agent.

::

    store = InMemoryTrackerStore(event_broker=event_brokers.connect("endpoints.yml"))
    agent = Agent(model, tracker_store=store)
    await agent.handle_text("hi")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_MODULES = {
    "Agent": "agent",
    "DialogueStateTracker": "tracker",
    "InMemoryTrackerStore": "stores",
    "Message": "model",
    "Model": "model",
    "ModelError": "errors",
    "SQLTrackerStore": "sql_store",
    "TrackerStore": "stores",
    "TrackerStoreError": "errors",
}


def __getattr__(name: str) -> Any:
    # the commands are in this package: a list of them pays for nothing that it does not show
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(_module(name), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


def _module(name: str) -> Any:
    try:
        return import_module(f"{__name__}.{_MODULES[name]}")
    except ModuleNotFoundError as error:
        if name != "SQLTrackerStore":  # the one name that needs SQLAlchemy, and with it the extra
            raise
        from event_brokers_assistant.errors import WITHOUT_SQL  # noqa: PLC0415 - as said

        raise ModuleNotFoundError(f"SQLTrackerStore {WITHOUT_SQL}") from error
