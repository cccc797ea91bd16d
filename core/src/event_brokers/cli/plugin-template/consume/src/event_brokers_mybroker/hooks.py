"""What the core calls: the hooks of `type: mybroker`."""

from __future__ import annotations

from event_brokers.plugin.server_hooks import ConsumingHooks

from event_brokers_mybroker.connection import Connection, Denied
from event_brokers_mybroker.consumer import read
from event_brokers_mybroker.options import BrokerOptions

plugin = ConsumingHooks(
    options_class=BrokerOptions,
    open_connection=Connection,
    place="queue",
    denied=(Denied,),
    read=read,
)
