"""Streams events, plain dictionaries, to the broker that `endpoints.yml` names.

with event_brokers.connect("endpoints.yml") as broker:
    broker.publish({"sender_id": "default", "event": "user", "text": "hi"})
"""

from event_brokers.broker import EventBroker, Status, connect
from event_brokers.buffer import DeadLetter
from event_brokers.errors import (
    BrokerClosed,
    BrokerUnavailable,
    ConfigurationError,
    EventBrokersError,
    InvalidEvent,
    PluginError,
    QueueFull,
    RejectedEvents,
    UndeliveredEvents,
)
from event_brokers.event import Event
from event_brokers.hookspecs import hookimpl
from event_brokers.options import Options
from event_brokers.secret import Secret, SecretUrl

__all__ = [
    "BrokerClosed",
    "BrokerUnavailable",
    "ConfigurationError",
    "DeadLetter",
    "Event",
    "EventBroker",
    "EventBrokersError",
    "InvalidEvent",
    "Options",
    "PluginError",
    "QueueFull",
    "RejectedEvents",
    "Secret",
    "SecretUrl",
    "Status",
    "UndeliveredEvents",
    "connect",
    "hookimpl",
]
