"""The broker in memory and the conformance kit, for who writes a plugin or tests with events.

::

    from event_brokers.testing import Arrived, Conformance

    class TestLines(Conformance):
        type = "lines"

        def options(self):
            return {"path": str(self.folder / "events.jsonl")}

        def arrived(self):
            ...  # what stands in the file, as a list of Arrived

`Conformance` needs pytest: `pip install event-brokers[testing]`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers.testing.answers import Arrived
    from event_brokers.testing.conformance import Conformance
    from event_brokers.testing.memory_broker import MemoryBroker

__all__ = ["Arrived", "Conformance", "MemoryBroker"]

_MODULES = {"Arrived": "answers", "Conformance": "conformance", "MemoryBroker": "memory_broker"}


def __getattr__(name: str) -> Any:
    # as in event_brokers: who wants the broker in memory needs no pytest
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
