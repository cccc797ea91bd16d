"""Spans and log records of OpenTelemetry as events, which are not lost when a broker is away.

::

    broker = event_brokers.connect("endpoints.yml")
    tracer_provider.add_span_processor(EventSpanProcessor(broker))
"""

from event_brokers_opentelemetry.log_records import EventLogRecordProcessor
from event_brokers_opentelemetry.spans import EventSpanProcessor

__all__ = ["EventLogRecordProcessor", "EventSpanProcessor"]
