"""A log record as an event that is OTLP's LogsData, in JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk._logs import ReadWriteLogRecord

from event_brokers_opentelemetry.conversation import OPERATION, event_fields
from event_brokers_opentelemetry.losses import Losses, NotCarried
from event_brokers_opentelemetry.otlp_values import (
    any_value,
    attributes,
    resource_fields,
    scope_fields,
    seconds,
    span_id,
    text,
    time,
    trace_id,
)


def log_record_event(
    emitted: ReadWriteLogRecord,
    find_sender_id: Callable[[ReadWriteLogRecord], str | None] | None,
    losses: Losses,
) -> dict[str, Any]:
    """Return the event of a record: `sender_id`, `event`, `timestamp`, and `resourceLogs` of OTLP.

    `event` is the record's own name, or else `gen_ai.operation.name`, or "log". The timestamp is
    when it happened, or was seen. Receivers of OTLP must ignore the first three:
    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

    Parameters:
        emitted: the record with its resource and scope.
        find_sender_id: the application's own way to tell the conversation.
        losses: takes note of what is left out or changed.
    """
    record = emitted.log_record
    kind = record.event_name or (record.attributes or {}).get(OPERATION) or "log"
    timestamp = seconds(time(record.timestamp or record.observed_timestamp, losses))
    scope_logs = {
        **scope_fields(emitted.instrumentation_scope, losses),
        "logRecords": [_record(emitted, losses)],
    }
    resource_logs = {**resource_fields(emitted.resource, losses), "scopeLogs": [scope_logs]}
    return {
        **event_fields(emitted, find_sender_id, text(kind, losses), timestamp, losses),
        "resourceLogs": [resource_logs],
    }


def _record(emitted: ReadWriteLogRecord, losses: Losses) -> dict[str, Any]:
    record = emitted.log_record
    severity = record.severity_number
    fields: dict[str, Any] = {
        "timeUnixNano": time(record.timestamp, losses),
        "observedTimeUnixNano": time(record.observed_timestamp, losses),
        "severityNumber": severity.value if severity else None,
        "severityText": text(record.severity_text, losses) if record.severity_text else None,
        "body": _body(record.body, losses),
        **attributes(record.attributes, emitted.dropped_attributes, losses),
        "flags": int(record.trace_flags) if record.trace_flags else None,
        "traceId": trace_id(record.trace_id) if record.trace_id else None,
        "spanId": span_id(record.span_id) if record.span_id else None,
        "eventName": text(record.event_name, losses) if record.event_name else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _body(body: object, losses: Losses) -> dict[str, Any] | None:
    if body is None:
        return None
    try:
        return any_value(body, losses)
    except NotCarried as reason:
        losses.left_out(f"{reason} as body")
        return None
