"""What the core calls: the hooks of `type: nats`."""

from event_brokers.plugin.server_hooks import ConsumingHooks
from event_brokers_nats.consuming import read
from event_brokers_nats.publishing import DENIED, LOST, Connection, NatsOptions

plugin = ConsumingHooks(
    options_class=NatsOptions, open_connection=Connection, place="stream", read=read,
    denied=DENIED, lost=LOST,
)  # fmt: skip
