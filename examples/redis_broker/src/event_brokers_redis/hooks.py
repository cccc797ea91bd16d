"""What the core calls: the hooks of `type: redis`."""

from event_brokers.plugin.server_hooks import ConsumingHooks
from event_brokers_redis.consuming import read
from event_brokers_redis.publishing import DENIED, LOST, Connection, RedisOptions

plugin = ConsumingHooks(
    options_class=RedisOptions, open_connection=Connection, place="stream", read=read,
    denied=DENIED, lost=LOST,
)  # fmt: skip
