"""Whatever an application puts into attributes: nothing raises, and what is not carried is told."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from event_brokers.testing import MemoryBroker
from event_brokers_opentelemetry import EventLogRecordProcessor, EventSpanProcessor
from event_brokers_opentelemetry.losses import Losses, NotCarried
from event_brokers_opentelemetry.otlp_values import any_value, attributes
from otlp_schema import logs, traces

TEXTS = st.text(st.characters(exclude_categories=()))  # with lone surrogates
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
STRANGE = VALUES | st.builds(object) | st.builds(set) | st.dictionaries(st.integers(), SCALARS)


def read(value: AnyValue) -> Any:
    """Return what a value of OTLP says in Python."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [read(each) for each in value.array_value.values]
    if kind == "kvlist_value":
        return {each.key: read(each.value) for each in value.kvlist_value.values}
    return getattr(value, kind)


def expected(value: Any) -> Any:
    """Return what is to be read: the value, but for what OTLP has no word for."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return hex(value)
    if isinstance(value, float) and math.isnan(value):
        return "NaN"  # which no NaN equals
    if isinstance(value, Mapping):
        return {expected(name): expected(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, (str, bytes)):
        return [expected(item) for item in value]
    return value


def without_nan(value: Any) -> Any:
    """Return what was read with a text for NaN, to compare it."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, list):
        return [without_nan(each) for each in value]
    if isinstance(value, dict):
        return {name: without_nan(each) for name, each in value.items()}
    return value


@given(body=VALUES)
def test_what_otlp_can_say_is_read_as_it_was(body: Any) -> None:
    """Bytes, NaN, infinities and nesting too; the type of a number stays, and the sign of zero."""
    memory, provider = MemoryBroker(), LoggerProvider(shutdown_on_exit=False)
    with memory.start() as broker:
        processor = EventLogRecordProcessor(broker)
        provider.add_log_record_processor(processor)
        provider.get_logger("agent").emit(LogRecord(body=body))
        broker.flush(20)
        assert processor.lost == 0
    (event,) = memory.arrived
    record = logs(event.body).resource_logs[0].scope_logs[0].log_records[0]
    found, wanted = without_nan(read(record.body)), expected(body)
    assert found == wanted
    assert repr(found) == repr(wanted)


@given(
    name=TEXTS, given_attributes=st.dictionaries(TEXTS.filter(bool), STRANGE, max_size=5),
    of_event=st.dictionaries(TEXTS.filter(bool), STRANGE, max_size=2), start=st.integers(),
)  # fmt: skip
def test_no_span_is_lost_or_raises(
    name: str, given_attributes: dict[str, Any], of_event: dict[str, Any], start: int
) -> None:
    """Names, attributes, events and times, however strange: one span in, one by the schema out."""
    memory, provider = MemoryBroker(), TracerProvider(shutdown_on_exit=False)
    with memory.start() as broker:
        processor = EventSpanProcessor(broker)
        provider.add_span_processor(processor)
        span = provider.get_tracer("agent").start_span(
            name, attributes=given_attributes, start_time=start
        )
        span.add_event(name, of_event)
        span.end()
        broker.flush(20)
        assert processor.lost == 0
    (event,) = memory.arrived
    assert len(traces(event.body).resource_spans[0].scope_spans[0].spans) == 1


def nested(depth: int) -> list[Any]:
    """Return lists inside one another."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def inside_itself() -> list[Any]:
    """Return a list that contains itself, twice."""
    value: list[Any] = []
    value += [value, value]
    return value


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "a value of type object"),
        ({"a": {1: 2}}, "a name of type int"),
        (inside_itself(), "a value that contains itself"),
        (nested(25), "a value that is nested deeper than 24 levels"),
        ([1, {2, 3}], "a value of type set"),
    ],
)
def test_what_otlp_cannot_say_is_counted_and_told(value: Any, reason: str) -> None:
    """The attribute is left out whole; the others are there."""
    remarks: list[str] = []
    fields = attributes({"bad": value, "good": "secret"}, 2, Losses(remarks.append))
    assert fields["droppedAttributesCount"] == 3
    assert fields["attributes"] == [{"key": "good", "value": {"stringValue": "secret"}}]
    (remark,) = remarks
    assert reason in remark
    assert "bad" not in remark
    with pytest.raises(NotCarried):
        any_value(value, Losses(remarks.append))


def test_the_deepest_value_can_be_read_by_protobuf() -> None:
    """Its readers end at a hundred messages."""
    memory, provider = MemoryBroker(), LoggerProvider(shutdown_on_exit=False)
    value: dict[str, Any] = {}
    for _ in range(23):
        value = {"inner": value}
    with memory.start() as broker:
        provider.add_log_record_processor(EventLogRecordProcessor(broker))
        provider.get_logger("agent").emit(LogRecord(body=value))
        broker.flush(20)
    data = logs(memory.arrived[0].body)
    assert read(data.resource_logs[0].scope_logs[0].log_records[0].body) == value
    again = type(data)()
    again.ParseFromString(data.SerializeToString())
    assert again == data


def test_each_kind_of_loss_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """And never what was lost."""
    memory, provider = MemoryBroker(), TracerProvider(shutdown_on_exit=False)
    with memory.start() as broker, caplog.at_level(logging.WARNING):
        provider.add_span_processor(EventSpanProcessor(broker))
        for _ in range(3):
            span = provider.get_tracer("agent").start_span("work", start_time=-1)
            span.set_attribute("said", "secret \ud800")
            span.set_attribute("number", 2**64)
            span.end()
        broker.flush(20)
    lines = [line for line in caplog.messages if line.startswith("spans: ")]
    assert len(lines) == 3
    assert not any("secret" in line for line in lines)
