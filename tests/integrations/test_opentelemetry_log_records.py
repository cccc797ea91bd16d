"""A log record of OpenTelemetry is an event, whoever makes it, and none of our own is."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor

from event_brokers.testing import MemoryBroker
from event_brokers_opentelemetry import EventLogRecordProcessor
from kill_after import arrived_after_kill
from otlp_schema import ENVELOPE, logs


@contextmanager
def providing(processor: EventLogRecordProcessor) -> Iterator[LoggerProvider]:
    """Return a provider whose log records a processor gets."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(processor)
    try:
        yield provider
    finally:
        provider.shutdown()


@contextmanager
def logging_to(provider: LoggerProvider, name: str) -> Iterator[logging.Logger]:
    """Return a logger whose records the package for the standard library's logging hands over."""
    logger, handler = logging.getLogger(name), LoggingHandler(logger_provider=provider)
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield logger
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def bodies(memory: MemoryBroker) -> list[dict[str, Any]]:
    """Return what has arrived."""
    return [json.loads(event.body) for event in memory.arrived]


def test_a_log_record_is_an_event_of_its_conversation() -> None:
    """With what a consumer asks for first, beside OTLP."""
    memory = MemoryBroker()
    with memory.start() as broker, providing(EventLogRecordProcessor(broker)) as provider:
        logger = provider.get_logger("agent")
        at = 1_795_627_222_500_000_000
        logger.emit(
            LogRecord(timestamp=at, body="hi", attributes={"gen_ai.conversation.id": "guest-7"})
        )
        logger.emit(LogRecord(observed_timestamp=at, event_name="gen_ai.choice", body={"a": [1]}))
        logger.emit(LogRecord(attributes={"gen_ai.operation.name": "chat", "session.id": "s"}))
        broker.flush(20)
    first, second, third = bodies(memory)
    assert (first["sender_id"], first["event"], first["timestamp"]) == (
        "guest-7", "log", 1_795_627_222.5,
    )  # fmt: skip
    assert ("sender_id" in second, second["event"], second["timestamp"]) == (
        False, "gen_ai.choice", 1_795_627_222.5,
    )  # fmt: skip
    assert (third["sender_id"], third["event"]) == ("s", "chat")
    assert set(first) == {*ENVELOPE, "resourceLogs"}


def test_a_function_of_the_application_tells_the_conversation() -> None:
    """It is given the record with its resource and scope."""
    memory = MemoryBroker()
    with memory.start() as broker:
        processor = EventLogRecordProcessor(
            broker, sender_id=lambda each: str(each.log_record.body)
        )
        with providing(processor) as provider:
            provider.get_logger("agent").emit(LogRecord(body="ada"))
        broker.flush(20)
    assert [event.sender_id for event in memory.arrived] == ["ada"]


BODIES: tuple[Any, ...] = (
    "Grüezi",
    {"n": [1, 0.5, None, b"\x00"], "m": {"t": True}},
    7,
    b"x",
    None,
)


def test_it_says_what_the_exporter_of_the_sdk_says() -> None:
    """All of the record, by opentelemetry-proto's schema, as the encoder for OTLP writes it."""
    memory, exporter = MemoryBroker(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    active = trace.SpanContext(0x1234, 0x5678, is_remote=False, trace_flags=trace.TraceFlags(1))
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(active)))
    try:
        with memory.start() as broker, providing(EventLogRecordProcessor(broker)) as provider:
            provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
            logger = provider.get_logger("agent", "1.2", "https://example.com/2", {"a": 1})
            for body in BODIES:
                logger.emit(
                    LogRecord(
                        timestamp=time.time_ns(),
                        severity_text="INFO",
                        body=body,
                        severity_number=SeverityNumber.INFO,
                        attributes={"k": "v"},
                    )
                )
            broker.flush(20)
    finally:
        context.detach(token)
    assert len(memory.arrived) == 5
    for event, emitted in zip(memory.arrived, exporter.get_finished_logs(), strict=True):
        (theirs,) = encode_logs([emitted]).resource_logs
        said = theirs.scope_logs[0].log_records[0]
        if emitted.log_record.body is None:
            said.ClearField("body")  # an empty value, which says no more than none
        assert logs(event.body).resource_logs == [theirs]


def test_what_the_standard_library_logs_is_an_event() -> None:
    """Through the instrumentation package for it, with the exception."""
    memory = MemoryBroker()
    with (
        memory.start() as broker,
        providing(EventLogRecordProcessor(broker)) as provider,
        logging_to(provider, "agent") as logger,
    ):
        try:
            raise LookupError("no such tool")
        except LookupError:
            logger.exception("the tool %s failed", "search", extra={"session.id": "s1"})
        broker.flush(20)
    (event,) = memory.arrived
    record = logs(event.body).resource_logs[0].scope_logs[0].log_records[0]
    assert (event.sender_id, record.body.string_value) == ("s1", "the tool search failed")
    assert "LookupError" in {each.value.string_value for each in record.attributes}


def test_a_full_queue_is_logged_once_and_never_for_its_own_sake() -> None:
    """The line that tells of it is a log record, too, and must not be the next one without room."""
    memory = MemoryBroker()
    memory.hang()
    with memory.start(max_pending=2) as broker:
        processor = EventLogRecordProcessor(broker)
        with (
            providing(processor) as provider,
            logging_to(provider, "agent") as logger,
            logging_to(provider, "event_brokers") as own,
        ):
            for number in range(20):
                logger.info("line %d", number)
            own.info("nobody is to get this")
            assert processor.lost == 18
            memory.answer()
            assert processor.force_flush(20_000)
    lines = [
        body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] for body in bodies(memory)
    ]
    assert lines == [{"stringValue": "line 0"}, {"stringValue": "line 1"}]


def test_shutdown_delivers_and_takes_no_more() -> None:
    """The broker is the application's, and stays open."""
    memory = MemoryBroker()
    with (
        memory.start() as broker,
        providing(processor := EventLogRecordProcessor(broker)) as provider,
    ):
        provider.get_logger("agent").emit(LogRecord(body="before"))
        processor.shutdown()
        assert len(memory.arrived) == 1
        provider.get_logger("agent").emit(LogRecord(body="after"))
        assert broker.status().accepted == 1


EMITTING = """
import sys
import event_brokers
from event_brokers_opentelemetry import EventLogRecordProcessor
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
provider = LoggerProvider()
provider.add_log_record_processor(EventLogRecordProcessor(event_brokers.connect({section!r})))
for number in range(20):
    provider.get_logger("agent").emit(LogRecord(body=number))
print("emitted", flush=True)
sys.stdin.read()
"""


def test_a_log_record_that_was_emitted_survives_sigkill(tmp_path: Path) -> None:
    """It is in the spool when `emit` returns, while the broker is away."""
    found = [logs(body.encode()) for _, body in arrived_after_kill(EMITTING, 20, tmp_path)]
    records = [each.resource_logs[0].scope_logs[0].log_records[0] for each in found]
    assert [record.body.int_value for record in records] == list(range(20))


@pytest.mark.parametrize("body", [object(), {1: 2}, [[object()]]], ids=["object", "name", "nested"])
def test_a_body_that_otlp_cannot_say_is_left_out(
    body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The rest of the record arrives, and the log says what it does without, and no value."""
    memory = MemoryBroker()
    with memory.start() as broker, providing(EventLogRecordProcessor(broker)) as provider:
        for _ in range(2):
            provider.get_logger("agent").emit(LogRecord(body=body, severity_text="INFO"))
        broker.flush(20)
    records = [
        logs(each.body).resource_logs[0].scope_logs[0].log_records[0] for each in memory.arrived
    ]
    assert [(each.HasField("body"), each.severity_text) for each in records] == [
        (False, "INFO")
    ] * 2
    (line,) = [line for line in caplog.messages if line.startswith("log records: ")]
    assert "OTLP cannot carry" in line
