"""A trace that begins at `publish` ends at the consumer, over every real broker that has one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from typing_extensions import Self

import event_brokers
from event_brokers.telemetry import context_of
from servers.backends import Backend
from waiting import next_line

PROGRAM = """
import json, sys
import event_brokers
from event_brokers.telemetry import instrument
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

exported = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exported))
tracer = provider.get_tracer("test")
instrument(tracer_provider=provider)

def named(context):
    return [f"{context.trace_id:032x}", f"{context.span_id:016x}"]

def turn(name):
    with tracer.start_as_current_span(name) as span:
        broker.publish({"sender_id": "a", "turn": name})
    return named(span.get_span_context())

def deliver(_):
    return broker.flush(60).pending

def linked(_):
    spans = [span for span in exported.get_finished_spans() if span.kind is SpanKind.PRODUCER]
    return [named(link.context) for span in spans if span.status.is_unset for link in span.links]

broker = event_brokers.connect(json.loads(sys.argv[1]))
for line in sys.stdin:
    command, _, argument = line.strip().partition(" ")
    print(json.dumps({"turn": turn, "deliver": deliver, "linked": linked}[command](argument)))
    sys.stdout.flush()
"""


class Publisher:
    """A program of its own, whose events are traced; it does what its standard input says.

    Parameters:
        section: of the broker.
    """

    def __init__(self, section: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, json.dumps(section)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    def turn(self, name: str) -> list[str]:
        """Publish an event within a span, and return the ids of its trace and of the span."""
        found: list[str] = self._answer(f"turn {name}")
        return found

    def deliver(self) -> int:
        """Wait for delivery, and return how many events wait in the end."""
        return int(self._answer("deliver"))

    def linked(self) -> list[list[str]]:
        """Return what the spans of delivered batches link to."""
        found: list[list[str]] = self._answer("linked")
        return found

    def kill(self) -> None:
        """End it at once: SIGKILL."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, command: str) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        return json.loads(next_line(self._process))


def consumed(section: dict[str, Any], count: int) -> dict[str, list[str]]:
    """Return what a consumer finds active for each turn: the ids of the trace and of the span.

    Parameters:
        section: of the broker.
        count: of turns, whose events may come twice.
    """
    found: dict[str, list[str]] = {}
    with event_brokers.consume(section, from_start=True) as consumer:
        while len(found) < count:
            received = next(consumer)
            active = trace.get_current_span(context_of(received)).get_span_context()
            assert active.is_remote
            assert received.event is not None
            ids = [f"{active.trace_id:032x}", f"{active.span_id:016x}"]
            assert found.setdefault(received.event["turn"], ids) == ids
    return found


def test_a_trace_goes_from_publish_to_the_consumer_through_an_outage_and_a_kill(
    backend: Backend, tmp_path: Path
) -> None:
    """Broker and publisher are killed; the one that is started next delivers, and links to it."""
    if backend.is_endpoint:
        pytest.skip("nothing can be read back from it")
    section = {**backend.section, "delivery": {"spool": str(tmp_path / "spool")}}
    with Publisher(section) as first:
        turns = {"before": first.turn("before")}
        assert first.deliver() == 0
        assert turns["before"] in first.linked()
        if backend.server is not None:
            # RabbitMQ may forget a queue that was made in the moment before kill -9
            backend.server.restart()
            backend.server.kill()
        turns["during"] = first.turn("during")
        first.kill()
    if backend.server is not None:
        backend.server.recover()
    with Publisher(section) as second:
        turns["after"] = second.turn("after")
        assert second.deliver() == 0
        linked = second.linked()
    assert consumed(backend.section, len(turns)) == turns
    assert turns["after"] in linked
    if backend.server is not None:  # a file is never away: it may have the event already
        assert turns["during"] in linked
    assert len({trace_id for trace_id, _ in turns.values()}) == len(turns)
