"""Topics of a real Kafka hold what the kafkareceiver of an OpenTelemetry Collector reads."""

from __future__ import annotations

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

import event_brokers
from event_brokers_opentelemetry import EventLogRecordProcessor, EventSpanProcessor
from otlp_schema import logs, traces
from servers.backends import Backend

pytestmark = pytest.mark.xdist_group("kafka")


def test_every_body_of_the_topic_is_otlp_in_json(kafka_backend: Backend) -> None:
    """Spans, by the schema of opentelemetry-proto; a record's key is the conversation."""
    provider = TracerProvider(shutdown_on_exit=False)
    with event_brokers.connect(kafka_backend.section) as broker:
        processor = EventSpanProcessor(broker)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("agent")
        for number in range(3):
            turn = {"gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": f"c{number}"}
            with tracer.start_as_current_span("invoke_agent guide", attributes=turn):
                tool: dict[str, str | float | bytes] = {
                    "gen_ai.operation.name": "execute_tool",
                    "odd": float("inf"),
                    "raw": b"\x00",
                }
                tracer.start_span("execute_tool search", attributes=tool).end()
        assert processor.force_flush(60_000)
    arrived = kafka_backend.read()
    assert [(each.sender_id, each.type) for each in arrived] == [
        (None, "execute_tool"), ("c0", "invoke_agent"),
        (None, "execute_tool"), ("c1", "invoke_agent"),
        (None, "execute_tool"), ("c2", "invoke_agent"),
    ]  # fmt: skip
    spans = [traces(each.body).resource_spans[0].scope_spans[0].spans[0] for each in arrived]
    for tool_span, turn_span in zip(spans[::2], spans[1::2], strict=True):
        assert tool_span.parent_span_id == turn_span.span_id
        assert tool_span.trace_id == turn_span.trace_id


def test_log_records_have_a_topic_of_their_own(kafka_backend: Backend) -> None:
    """A Collector reads one kind from a topic."""
    provider = LoggerProvider(shutdown_on_exit=False)
    with event_brokers.connect(kafka_backend.section) as broker:
        processor = EventLogRecordProcessor(broker)
        provider.add_log_record_processor(processor)
        for number in range(3):
            provider.get_logger("agent").emit(
                LogRecord(body={"n": number}, attributes={"session.id": "s1"})
            )
        assert processor.force_flush(60_000)
    arrived = kafka_backend.read()
    assert [each.sender_id for each in arrived] == ["s1"] * 3
    records = [logs(each.body).resource_logs[0].scope_logs[0].log_records[0] for each in arrived]
    assert [record.body.kvlist_value.values[0].value.int_value for record in records] == [0, 1, 2]
