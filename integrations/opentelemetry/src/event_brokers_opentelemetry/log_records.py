"""EventLogRecordProcessor, which hands every log record of OpenTelemetry over to a broker."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from event_brokers import EventBroker
from event_brokers_opentelemetry.otlp_log_record import log_record_event
from event_brokers_opentelemetry.publishing import Publishing


class EventLogRecordProcessor(LogRecordProcessor):
    """Publishes each log record as one event; never waits for the broker, or fails the caller.

    With a spool, a record whose `on_emit` has returned survives SIGKILL. What the broker does not
    take, because its queue is full, is counted in `lost` and logged once. Records of event-brokers
    itself, and what is logged because events are delivered, are not handed over.

    Parameters:
        broker: takes the events; whoever made it closes it.
        sender_id: tells the conversation of a record, or None; unless given, that is its attribute
            `gen_ai.conversation.id`, or `session.id`.
        shutdown_timeout: seconds for which `shutdown` lets the broker deliver.
    """

    def __init__(
        self,
        broker: EventBroker,
        sender_id: Callable[[ReadWriteLogRecord], str | None] | None = None,
        shutdown_timeout: float = 5.0,
    ) -> None:
        self._sender_id = sender_id
        self._publishing = Publishing(broker, "log records", shutdown_timeout)

    @property
    def lost(self) -> int:
        """How many log records the broker did not take, in this process."""
        return self._publishing.lost

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Publish a log record, which is stored when this returns.

        Parameters:
            log_record: as it is now; what later processors change does not count.
        """
        scope = log_record.instrumentation_scope
        self._publishing.publish(
            str(scope.name) if scope else "",
            lambda losses: log_record_event(log_record, self._sender_id, losses),
        )

    def shutdown(self) -> None:
        """Hand over nothing more, and let the broker deliver for `shutdown_timeout` seconds."""
        self._publishing.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Wait until everything handed over has left, and return whether it has.

        Parameters:
            timeout_millis: milliseconds to wait at most.
        """
        return self._publishing.flush(timeout_millis / 1000)
