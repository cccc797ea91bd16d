"""EventSpanProcessor, which hands every span that ends over to a broker."""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from event_brokers import EventBroker
from event_brokers_opentelemetry.otlp_span import span_event
from event_brokers_opentelemetry.publishing import Publishing


class EventSpanProcessor(SpanProcessor):
    """Publishes each span as one event; never waits for the broker, and never fails the caller.

    With a spool, a span whose `on_end` has returned survives SIGKILL. What the broker does not
    take, because its queue is full, is counted in `lost` and logged once. Spans that are made
    because events are delivered are not handed over.

    Parameters:
        broker: takes the events; whoever made it closes it.
        sender_id: tells the conversation of a span, or None; unless given, that is its attribute
            `gen_ai.conversation.id`, or `session.id`.
        shutdown_timeout: seconds for which `shutdown` lets the broker deliver.
    """

    def __init__(
        self,
        broker: EventBroker,
        sender_id: Callable[[ReadableSpan], str | None] | None = None,
        shutdown_timeout: float = 5.0,
    ) -> None:
        self._sender_id = sender_id
        self._publishing = Publishing(broker, "spans", shutdown_timeout)

    @property
    def lost(self) -> int:
        """How many spans the broker did not take, in this process."""
        return self._publishing.lost

    def on_end(self, span: ReadableSpan) -> None:
        """Publish a span, which is stored when this returns.

        Parameters:
            span: that has ended, and was sampled.
        """
        scope = span.instrumentation_scope
        if span.context is None or not span.context.trace_flags.sampled:
            return  # as the SDK's own processors: what is recorded alone is for this process
        self._publishing.publish(
            str(scope.name) if scope else "",
            lambda losses: span_event(span, self._sender_id, losses),
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
