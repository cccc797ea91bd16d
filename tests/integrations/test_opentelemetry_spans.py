"""A span that ends is an event, whatever the broker, the process and the application do."""

from __future__ import annotations

import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.sqlite3 import SQLite3Instrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

import event_brokers
from event_brokers import EventBroker
from event_brokers.delays import Delays
from event_brokers.telemetry import instrument
from event_brokers.testing import MemoryBroker
from event_brokers_opentelemetry import EventSpanProcessor
from kill_after import arrived_after_kill
from otlp_schema import ENVELOPE, traces


@pytest.fixture
def memory() -> MemoryBroker:
    """Return a broker in memory."""
    return MemoryBroker()


@pytest.fixture
def broker(memory: MemoryBroker) -> Iterator[EventBroker]:
    """Return what publishes to it."""
    with memory.start() as started:
        yield started


@contextmanager
def providing(processor: EventSpanProcessor, **options: Any) -> Iterator[trace.Tracer]:
    """Return a tracer whose spans a processor gets."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(processor)
    try:
        yield provider.get_tracer("agent", "1.2")
    finally:
        provider.shutdown()


def bodies(memory: MemoryBroker) -> list[dict[str, Any]]:
    """Return what has arrived."""
    return [json.loads(event.body) for event in memory.arrived]


def names(memory: MemoryBroker) -> list[str]:
    """Return the names of the spans that have arrived."""
    return [
        span.name
        for event in memory.arrived
        for resource in traces(event.body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def test_a_span_is_an_event_of_its_conversation(memory: MemoryBroker, broker: EventBroker) -> None:
    """With what a consumer asks for first, beside OTLP."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.conversation.id": "guest-7"}
    with providing(EventSpanProcessor(broker)) as tracer:
        tracer.start_span("chat gpt-5", attributes=attributes).end(1_795_627_222_500_000_000)
        tracer.start_span("GET", attributes={"session.id": "s1"}).end()
        tracer.start_span("tick", attributes={"session.id": 7}).end()
        tracer.start_span("tick").end()
        broker.flush(20)
    chat, get, by_number, alone = bodies(memory)
    assert (chat["sender_id"], chat["event"], chat["timestamp"]) == (
        "guest-7", "chat", 1_795_627_222.5,
    )  # fmt: skip
    assert (get["sender_id"], get["event"]) == ("s1", "GET")
    assert (by_number["sender_id"], "sender_id" in alone, alone["event"]) == ("7", False, "tick")
    assert [event.sender_id for event in memory.arrived] == ["guest-7", "s1", "7", None]
    assert set(chat) == {*ENVELOPE, "resourceSpans"}


def test_it_says_what_the_exporter_of_the_sdk_says(
    memory: MemoryBroker, broker: EventBroker
) -> None:
    """All of the span, by opentelemetry-proto's schema, as the encoder for OTLP writes it."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(
        resource=Resource({"service.name": "agent", "ports": [1, 2]}, "https://example.com/1"),
        shutdown_on_exit=False,
    )
    provider.add_span_processor(EventSpanProcessor(broker))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("agent", "1.2", "https://example.com/2", {"a": True})
    remote = trace.SpanContext(0x1234, 0x5678, is_remote=True, trace_flags=trace.TraceFlags(1))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    for kind in trace.SpanKind:
        span = tracer.start_span(
            "work", parent, kind, {"n": 1, "x": 0.5, "b": b"\x00\xff", "t": ["a", "b"]},
            [trace.Link(remote, {"why": "because"})],
        )  # fmt: skip
        span.add_event("said", {"text": "Grüezi"})
        span.record_exception(ValueError("no"))
        span.set_status(trace.StatusCode.ERROR, "it failed")
        span.end()
    broker.flush(20)
    provider.shutdown()
    assert len(memory.arrived) == len(trace.SpanKind)
    for event, ended in zip(memory.arrived, exporter.get_finished_spans(), strict=True):
        (theirs,) = encode_spans([ended]).resource_spans
        said = theirs.scope_spans[0].spans[0]
        said.flags |= trace.TraceFlags.SAMPLED  # in the schema, but left out by the encoder
        said.links[0].flags |= trace.TraceFlags.SAMPLED
        assert traces(event.body).resource_spans == [theirs]


@pytest.mark.parametrize(
    ("find", "expected"),
    [
        (lambda span: span.attributes["user.id"], "ada"),
        (lambda _: None, None),
        (lambda span: span.attributes["missing"], None),
        (lambda _: "\ud800", "\ufffd"),
        (lambda _: object(), None),
    ],
    ids=["own", "none", "raises", "surrogate", "no text"],
)
def test_a_function_of_the_application_tells_the_conversation(
    find: Callable[[ReadableSpan], str | None],
    expected: str | None,
    memory: MemoryBroker,
    broker: EventBroker,
) -> None:
    """One that fails costs the sender_id, and not the span."""
    with providing(EventSpanProcessor(broker, sender_id=find)) as tracer:
        tracer.start_span("work", attributes={"user.id": "ada", "session.id": "s"}).end()
        broker.flush(20)
    assert [event.sender_id for event in memory.arrived] == [expected]


def test_what_was_not_sampled_is_not_handed_over(memory: MemoryBroker, broker: EventBroker) -> None:
    """As with the processors of the SDK."""
    with providing(EventSpanProcessor(broker), sampler=ALWAYS_OFF) as tracer:
        tracer.start_span("work").end()
        broker.flush(20)
    assert memory.arrived == []


def test_a_full_queue_costs_the_application_nothing(
    memory: MemoryBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """What has no room is counted, and logged once; what had room arrives."""
    memory.hang()
    with memory.start(max_pending=3) as broker:
        processor = EventSpanProcessor(broker)
        with providing(processor) as tracer, caplog.at_level(logging.WARNING):
            for number in range(50):
                tracer.start_span(f"work {number}").end()
            assert processor.lost == 47
            lines = [line for line in caplog.messages if line.startswith("spans: ")]
            memory.answer()
            assert processor.force_flush(20_000)
    assert len(lines) == 1
    assert "QueueFull" in lines[0]
    assert names(memory) == ["work 0", "work 1", "work 2"]


def test_nothing_waits_for_a_broker_that_is_away() -> None:
    """`force_flush` says that something waits; when the broker is back, that nothing does."""
    memory = MemoryBroker(Delays(first=0.001, longest=0.01))
    memory.fail_to_connect(10**6)
    with memory.start() as broker:
        processor = EventSpanProcessor(broker)
        with providing(processor) as tracer:
            tracer.start_span("work").end()
            assert not processor.force_flush(50)
            assert not processor.force_flush(0)
            memory.connects.clear()
            assert processor.force_flush(60_000)
    assert names(memory) == ["work"]


def test_shutdown_delivers_and_takes_no_more(memory: MemoryBroker, broker: EventBroker) -> None:
    """The broker is the application's, and stays open."""
    processor = EventSpanProcessor(broker)
    with providing(processor) as tracer:
        tracer.start_span("before").end()
        processor.shutdown()
        assert names(memory) == ["before"]
        tracer.start_span("after").end()
        processor.shutdown()
    broker.publish({"event": "other"})
    broker.flush(20)
    assert [body["event"] for body in bodies(memory)] == ["before", "other"]


def test_a_closed_broker_costs_the_application_nothing(memory: MemoryBroker) -> None:
    """Also where it was closed before the provider was."""
    broker = memory.start()
    processor = EventSpanProcessor(broker)
    with providing(processor) as tracer:
        broker.close()
        tracer.start_span("late").end()
    assert processor.lost == 1


def test_what_waits_at_a_closed_broker_has_not_left(memory: MemoryBroker, tmp_path: Path) -> None:
    """There is time, and nobody who uses it."""
    memory.hang()
    broker = memory.start(spool=str(tmp_path / "spool"))
    processor = EventSpanProcessor(broker)
    with providing(processor) as tracer:
        tracer.start_span("waits").end()
        broker.close(0.1)
        assert not processor.force_flush(30_000)


def test_spans_of_the_delivery_are_not_delivered(memory: MemoryBroker, broker: EventBroker) -> None:
    """Each would make the next one, for ever."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(EventSpanProcessor(broker))
    telemetry = instrument(tracer_provider=provider)
    try:
        for number in range(3):
            provider.get_tracer("agent").start_span(f"work {number}").end()
            broker.flush(20)
    finally:
        telemetry.remove()
        provider.shutdown()
    assert len(memory.batches) == 3
    assert names(memory) == ["work 0", "work 1", "work 2"]


STATEMENTS = ("CREATE TABLE orders (number)", "INSERT INTO orders VALUES (1)")


def test_an_instrumented_database_is_seen_but_for_our_own(tmp_path: Path) -> None:
    """Statements of the application are spans; those of the spool and of the broker are none."""
    section = {
        "type": "sql", "db": str(tmp_path / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    provider = TracerProvider(shutdown_on_exit=False)
    instrumentor = SQLite3Instrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with event_brokers.connect(section) as broker:
            processor = EventSpanProcessor(broker)
            provider.add_span_processor(processor)
            with closing(sqlite3.connect(tmp_path / "application.db")) as database:
                for statement in STATEMENTS:
                    database.cursor().execute(statement)
            assert processor.force_flush(30_000)
            provider.shutdown()
            assert broker.status().accepted == broker.status().delivered == 2
    finally:
        instrumentor.uninstrument()
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        rows = database.execute("SELECT type_name, data FROM events ORDER BY id").fetchall()
    assert [type_name for type_name, _ in rows] == ["CREATE", "INSERT"]
    for _, body in rows:
        assert traces(body.encode()).resource_spans[0].scope_spans[0].spans[0].attributes


ENDING = """
import sys
import event_brokers
from event_brokers_opentelemetry import EventSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
provider = TracerProvider()
provider.add_span_processor(EventSpanProcessor(event_brokers.connect({section!r})))
tracer = provider.get_tracer("agent")
for number in range(20):
    tracer.start_span(f"work {{number}}").end()
print("ended", flush=True)
sys.stdin.read()
"""


def test_a_span_that_has_ended_survives_sigkill(tmp_path: Path) -> None:
    """It is in the spool when `end` returns, while the broker is away."""
    arrived = arrived_after_kill(ENDING, 20, tmp_path)
    assert [kind for kind, _ in arrived] == [f"work {number}" for number in range(20)]


FORKING = """
import os
import event_brokers
from event_brokers_opentelemetry import EventSpanProcessor
from opentelemetry.sdk.trace import TracerProvider
broker = event_brokers.connect({section!r})
provider = TracerProvider()
processor = EventSpanProcessor(broker)
provider.add_span_processor(processor)
tracer = provider.get_tracer("agent")
tracer.start_span("before").end()
child = os.fork()
tracer.start_span("parent" if child else "child").end()
assert processor.lost == 0
if not child:
    provider.shutdown()
    broker.close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
assert processor.force_flush(30_000)
broker.close()
"""


@pytest.mark.parametrize("with_spool", [True, False], ids=["spool", "memory"])
def test_parent_and_child_go_on(with_spool: bool, tmp_path: Path) -> None:
    """A fork leaves both with a processor that works."""
    section: dict[str, Any] = {"type": "sql", "db": str(tmp_path / "events.db")}
    if with_spool:
        section["delivery"] = {"spool": str(tmp_path / "spool")}
    command = [sys.executable, "-W", "ignore", "-c", FORKING.format(section=section)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stderr) == (0, "")
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        rows = database.execute("SELECT type_name FROM events").fetchall()
    assert sorted(name for (name,) in rows) == ["before", "child", "parent"]


def strike(_: ReadableSpan) -> None:
    """Tell no conversation, but send a signal on the way through `on_end`."""
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def handling(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle that signal."""
    before = signal.signal(signal.SIGUSR1, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_signal_handler_may_end_a_span_while_one_is_handed_over(
    memory: MemoryBroker, broker: EventBroker
) -> None:
    """Both arrive."""
    ended: list[str] = []

    def end_another(_number: int, _frame: object) -> None:
        if not ended:
            ended.append("handler")
            tracer.start_span("of the handler").end()

    with (
        handling(end_another),
        providing(EventSpanProcessor(broker, sender_id=strike)) as tracer,
    ):
        tracer.start_span("struck").end()
        broker.flush(20)
    assert sorted(names(memory)) == ["of the handler", "struck"]


def test_what_a_signal_handler_raises_is_the_applications(
    memory: MemoryBroker, broker: EventBroker
) -> None:
    """A time limit ends what it limits, also where it strikes in here."""

    def raise_it(_number: int, _frame: object) -> None:
        raise TimeoutError("the time is up")

    with (
        handling(raise_it),
        providing(processor := EventSpanProcessor(broker, sender_id=strike)) as tracer,
    ):
        with pytest.raises(TimeoutError):
            tracer.start_span("struck").end()
        assert processor.lost == 0
    assert memory.arrived == []


def test_what_is_emitted_because_of_the_handing_over_ends(
    memory: MemoryBroker, broker: EventBroker
) -> None:
    """A function that makes spans of its own makes some, and not one for each of them."""

    def look_up(_: ReadableSpan) -> None:
        tracer.start_span("look up").end()

    with providing(EventSpanProcessor(broker, sender_id=look_up)) as tracer:
        tracer.start_span("work").end()
        broker.flush(20)
    assert names(memory).count("work") == 1
    assert len(names(memory)) <= 2
