"""Streams events, plain dictionaries, to the broker that `endpoints.yml` names.

::

    with event_brokers.connect("endpoints.yml") as broker:
        broker.publish({"sender_id": "default", "event": "user", "text": "hi"})
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from event_brokers.broker import EventBroker, connect
    from event_brokers.consumer import Consumer, consume
    from event_brokers.errors import (
        BrokerClosed,
        BrokerUnavailable,
        ConfigurationError,
        EventBrokersError,
        InvalidEvent,
        PartlyPublished,
        PluginError,
        QueueFull,
        RejectedEvents,
        SpoolError,
        UndeliveredEvents,
    )
    from event_brokers.event import Event, ReceivedEvent
    from event_brokers.hookspecs import hookimpl
    from event_brokers.options import Options
    from event_brokers.queues.protocol import DeadLetter
    from event_brokers.secret import Secret, SecretUrl
    from event_brokers.status import Status

__all__ = [
    "BrokerClosed",
    "BrokerUnavailable",
    "ConfigurationError",
    "Consumer",
    "DeadLetter",
    "Event",
    "EventBroker",
    "EventBrokersError",
    "InvalidEvent",
    "Options",
    "PartlyPublished",
    "PluginError",
    "QueueFull",
    "ReceivedEvent",
    "RejectedEvents",
    "Secret",
    "SecretUrl",
    "SpoolError",
    "Status",
    "UndeliveredEvents",
    "connect",
    "consume",
    "hookimpl",
]

_MODULES = {
    "Consumer": "consumer",
    "DeadLetter": "queues.protocol",
    "Event": "event",
    "EventBroker": "broker",
    "Options": "options",
    "ReceivedEvent": "event",
    "Secret": "secret",
    "SecretUrl": "secret",
    "Status": "status",
    "connect": "broker",
    "consume": "consumer",
    "hookimpl": "hookspecs",
}


def __getattr__(name: str) -> Any:
    # an application that imports this at its start pays for what it uses, when it uses it
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
