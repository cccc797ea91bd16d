"""The room of Rasa: how a section for its loader is read, and the event broker that it loads.

The class that Rasa finds here by its dotted name is imported when it is asked for: whoever reads a
section needs no broker.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers.rasa.broker import RasaEventBroker

__all__ = ["RasaEventBroker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # not kept: by the time that Rasa asks for it, its own base class may have been loaded
    return import_module(f"{__name__}.broker").loadable_class()
