"""A span as an event that is OTLP's TracesData, in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext

from event_brokers_opentelemetry.conversation import OPERATION, event_fields
from event_brokers_opentelemetry.losses import Losses
from event_brokers_opentelemetry.otlp_values import (
    attributes,
    count,
    resource_fields,
    scope_fields,
    seconds,
    span_id,
    text,
    time,
    trace_id,
)

# SpanFlags of opentelemetry-proto; the lowest eight bits are those of the W3C trace context
_KNOWS_IS_REMOTE = 0x100
_IS_REMOTE = 0x200
_FIRST_KIND = 1  # OTLP has SPAN_KIND_UNSPECIFIED before the kinds of the API


def span_event(
    span: ReadableSpan,
    find_sender_id: Callable[[ReadableSpan], str | None] | None,
    losses: Losses,
) -> dict[str, Any]:
    """Return the event of a span: `sender_id`, `event`, `timestamp`, and `resourceSpans` of OTLP.

    `event` is `gen_ai.operation.name`, or else the span's name, which by OpenTelemetry's
    conventions tells a class of spans. The timestamp is that of its end. Receivers of OTLP must
    ignore the first three: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

    Parameters:
        span: that has ended.
        find_sender_id: the application's own way to tell the conversation.
        losses: takes note of what is left out or changed.
    """
    kind = (span.attributes or {}).get(OPERATION) or span.name
    timestamp = seconds(time(span.end_time, losses))
    scope_spans = {
        **scope_fields(span.instrumentation_scope, losses),
        "spans": [_span(span, losses)],
    }
    resource_spans = {**resource_fields(span.resource, losses), "scopeSpans": [scope_spans]}
    return {
        **event_fields(span, find_sender_id, text(kind, losses), timestamp, losses),
        "resourceSpans": [resource_spans],
    }


def _span(span: ReadableSpan, losses: Losses) -> dict[str, Any]:
    fields: dict[str, Any] = {
        **(_context(span.context, losses) if span.context else {}),
        **({"parentSpanId": span_id(span.parent.span_id)} if span.parent else {}),
        "name": text(span.name, losses),
        "kind": span.kind.value + _FIRST_KIND,
        "startTimeUnixNano": time(span.start_time, losses),
        "endTimeUnixNano": time(span.end_time, losses),
        **attributes(span.attributes, span.dropped_attributes, losses),
        "events": [_event(each, losses) for each in span.events],
        "droppedEventsCount": count(span.dropped_events),
        "links": [_link(each, losses) for each in span.links],
        "droppedLinksCount": count(span.dropped_links),
        "status": _status(span, losses),
    }
    if span.context:
        fields["flags"] = _flags(int(span.context.trace_flags), span.parent)
    return {name: value for name, value in fields.items() if value not in (None, 0, [], {})}


def _context(context: SpanContext, losses: Losses) -> dict[str, str]:
    fields = {"traceId": trace_id(context.trace_id), "spanId": span_id(context.span_id)}
    if context.trace_state:
        fields["traceState"] = text(context.trace_state.to_header(), losses)
    return fields


def _event(event: Event, losses: Losses) -> dict[str, Any]:
    fields = {
        "timeUnixNano": time(event.timestamp, losses),
        "name": text(event.name, losses),
        **attributes(event.attributes, event.dropped_attributes, losses),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _link(link: Link, losses: Losses) -> dict[str, Any]:
    return {
        **_context(link.context, losses),
        **attributes(link.attributes, link.dropped_attributes, losses),
        "flags": _flags(int(link.context.trace_flags), link.context),
    }


def _flags(trace_flags: int, other: SpanContext | None) -> int:
    """Return the flags of a span, or of a link to another one.

    Parameters:
        trace_flags: of the W3C trace context.
        other: the parent of a span, or what the link leads to.
    """
    return trace_flags | _KNOWS_IS_REMOTE | (_IS_REMOTE if other and other.is_remote else 0)


def _status(span: ReadableSpan, losses: Losses) -> dict[str, Any]:
    status: dict[str, Any] = {}
    if span.status.status_code.value:
        status["code"] = span.status.status_code.value
    if span.status.description:
        status["message"] = text(span.status.description, losses)
    return status
