"""The live page: where events are, why they wait, and what became of them.

::

    app.mount("/monitor", event_brokers_monitor.application())
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers_monitor.access import Access
    from event_brokers_monitor.server import application

__all__ = ["Access", "application"]

_MODULES = {"Access": "access", "application": "server"}


def __getattr__(name: str) -> Any:
    # a command of this package is listed without a web server being imported
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
