"""The room of Rasa: how its loader's sections are read, and the event broker that it loads.

`section` is low, the core reads through it; `broker` stands above the core. So the class that Rasa
finds here by its dotted name is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers.rasa.broker import RasaEventBroker

__all__ = ["RasaEventBroker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.broker"), name)
