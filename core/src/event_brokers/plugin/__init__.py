"""All that a plugin may import, beside what `event_brokers` itself exports.

`plugin.server` has the options of a type with one server, and what its failures mean in words;
`plugin.tls` and `plugin.network` are what it is made of. `plugin.receiving` is for the hook
`consume`, `plugin.loop_thread` for clients that are asyncio only, and `plugin.causes` finds an
error inside those of a client library.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers.consumer import DEFAULT_GROUP
    from event_brokers.endpoints import settings_for
    from event_brokers.errors import (
        BrokerClosed,
        BrokerUnavailable,
        ConfigurationError,
        EventBrokersError,
        InvalidEvent,
        PartlyPublished,
        PluginError,
        PublishError,
        QueueFull,
        RejectedEvents,
        SpoolError,
        UndeliveredEvents,
    )
    from event_brokers.event import Event, ReceivedEvent
    from event_brokers.fork import watch as watch_fork
    from event_brokers.hookspecs import hookimpl
    from event_brokers.log import logger
    from event_brokers.options import Options
    from event_brokers.secret import Secret, SecretUrl

__all__ = [
    "DEFAULT_GROUP",
    "BrokerClosed",
    "BrokerUnavailable",
    "ConfigurationError",
    "Event",
    "EventBrokersError",
    "InvalidEvent",
    "Options",
    "PartlyPublished",
    "PluginError",
    "PublishError",
    "QueueFull",
    "ReceivedEvent",
    "RejectedEvents",
    "Secret",
    "SecretUrl",
    "SpoolError",
    "UndeliveredEvents",
    "hookimpl",
    "logger",
    "settings_for",
    "watch_fork",
]

_MODULES = {
    "DEFAULT_GROUP": "consumer",
    "Event": "event",
    "Options": "options",
    "ReceivedEvent": "event",
    "Secret": "secret",
    "SecretUrl": "secret",
    "hookimpl": "hookspecs",
    "logger": "log",
    "settings_for": "endpoints",
    "watch_fork": "fork",
}
_NAMES_THERE = {"watch_fork": "watch"}


def __getattr__(name: str) -> Any:
    # as in event_brokers: each name is imported when it is used
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"event_brokers.{_MODULES.get(name, 'errors')}")
    value = getattr(module, _NAMES_THERE.get(name, name))
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
