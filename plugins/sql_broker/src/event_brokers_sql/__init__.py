"""The SQL broker of event-brokers."""

from event_brokers_sql.options import SQLOptions
from event_brokers_sql.producer import SQLProducer

__all__ = ["SQLOptions", "SQLProducer"]
