"""The HTTP plugin of event-brokers: every event, confirmed, at an HTTP endpoint."""

from event_brokers_http.options import HTTPOptions
from event_brokers_http.producer import HTTPProducer

__all__ = ["HTTPOptions", "HTTPProducer"]
