"""The file broker of event-brokers."""

from event_brokers_file.options import FileOptions
from event_brokers_file.producer import FileProducer

__all__ = ["FileOptions", "FileProducer"]
