"""A trace that is active at `publish` travels with the event, through outage, crash and restart."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import baggage, context, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import event_brokers
from event_brokers import BrokerUnavailable, Event, InvalidEvent, PartlyPublished, instrumentation
from event_brokers.delays import Delays
from event_brokers.engine import ENGINES
from event_brokers.metric_table import METRICS, RECEIVED, Kind
from event_brokers.telemetry import context_of, instrument
from event_brokers.testing import MemoryBroker
from waiting import next_line, wait_until

pytestmark = pytest.mark.usefixtures("alone")

QUICK = Delays(first=0.001, first_halted=0.001, longest=0.01)


class Sdk:
    """OpenTelemetry's SDK, with what it would export kept in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracer_provider = TracerProvider()
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.tracer = self.tracer_provider.get_tracer("test")
        self.reader = InMemoryMetricReader()
        self.meter_provider = MeterProvider([self.reader])

    def instrument(self, with_baggage: bool = False) -> Any:
        """Instrument with these providers, not the global ones."""
        return instrument(
            with_baggage=with_baggage,
            tracer_provider=self.tracer_provider,
            meter_provider=self.meter_provider,
        )

    def batches(self) -> list[ReadableSpan]:
        """Return the spans of batches that have ended."""
        spans = self._exporter.get_finished_spans()
        return [span for span in spans if span.kind is trace.SpanKind.PRODUCER]

    def instruments(self) -> dict[str, list[Any]]:
        """Return what is measured now: the points of each instrument by its name."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: list(metric.data.data_points)
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def sdk() -> Iterator[Sdk]:
    """Return an SDK for which events are instrumented."""
    made = Sdk()
    telemetry = made.instrument()
    yield made
    telemetry.remove()
    made.tracer_provider.shutdown()
    made.meter_provider.shutdown()


def trace_of(event: Event) -> str | None:
    """Return the trace that travels with an event."""
    found = event.given_headers.get("traceparent")
    return None if found is None else found.split("-")[1]


def test_the_active_trace_travels_in_the_headers(sdk: Sdk) -> None:
    """With each event that is made while it is active, and with no other."""
    memory = MemoryBroker()
    with memory.start() as broker:
        broker.publish({"n": 0})
        with sdk.tracer.start_as_current_span("turn") as span:
            broker.publish({"n": 1}, headers={"tenant": "blue"})
            broker.publish_many([{"n": 2}, {"n": 3}])
        broker.flush(20)
    active = f"{span.get_span_context().trace_id:032x}"
    assert [trace_of(event) for event in memory.arrived] == [None, active, active, active]
    assert memory.arrived[1].given_headers["tenant"] == "blue"


def test_headers_that_are_given_come_first(sdk: Sdk) -> None:
    """Whoever passes a context on by hand keeps it."""
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with sdk.tracer.start_as_current_span("turn"):
        event = Event.from_dict({"n": 1}, headers={"traceparent": given})
    assert event.given_headers == {"traceparent": given}


@pytest.mark.usefixtures("sdk")
@pytest.mark.parametrize("name", ["traceparent", "Traceparent", "TRACESTATE"])
def test_a_trace_that_is_given_is_not_mixed_with_the_active_one(name: str) -> None:
    """Neither of the two headers of the active trace comes beside one of another, in any case."""
    state = trace.TraceState([("vendor", "x")])
    remote = trace.SpanContext(0x1234, 0x5678, is_remote=True, trace_state=state)
    token = context.attach(trace.set_span_in_context(trace.NonRecordingSpan(remote)))
    try:
        assert set(Event.from_dict({"n": 1}).given_headers) == {"traceparent", "tracestate"}
        event = Event.from_dict({"n": 1}, headers={name: "given"})
    finally:
        context.detach(token)
    assert event.given_headers == {name: "given"}


def test_baggage_travels_on_request_alone(sdk: Sdk) -> None:
    """It may hold what is nobody else's."""
    token = context.attach(baggage.set_baggage("tenant", "blue"))
    try:
        assert "baggage" not in Event.from_dict({"n": 1}).given_headers
        telemetry = sdk.instrument(with_baggage=True)
        try:
            assert Event.from_dict({"n": 1}).given_headers["baggage"] == "tenant=blue"
        finally:
            telemetry.remove()
    finally:
        context.detach(token)


def test_a_batch_is_a_span_with_links_to_its_events(sdk: Sdk) -> None:
    """One link for each trace; the attributes are those of the semantic conventions."""
    memory = MemoryBroker()
    memory.hang()
    contexts = []
    with memory.start() as broker:
        broker.publish({"n": 0})
        wait_until(lambda: memory.batches)
        for _ in range(2):
            with sdk.tracer.start_as_current_span("turn") as span:
                contexts.append(span.get_span_context())
                broker.publish_many([{"n": 1}, {"n": 2}])
        memory.answer()
        broker.flush(20)
    first, second = sdk.batches()
    assert (first.name, len(first.links)) == ("publish memory", 0)
    linked = [(link.context.trace_id, link.context.span_id) for link in second.links]
    assert linked == [(each.trace_id, each.span_id) for each in contexts]
    assert second.parent is None
    assert dict(second.attributes or {}) == {
        "messaging.system": "memory",
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
        "messaging.batch.message_count": 4,
    }
    assert second.status.status_code is trace.StatusCode.UNSET


def test_a_batch_that_fails_says_of_which_kind_and_nothing_of_its_events(sdk: Sdk) -> None:
    """The text of an error may hold an event's body."""
    memory = MemoryBroker(QUICK)
    memory.publishes.extend([BrokerUnavailable("canary"), ValueError("canary")])
    with memory.start() as broker:
        broker.publish({"text": "canary"})
        broker.flush(20)
    spans = sdk.batches()
    kinds = [(span.attributes or {}).get("error.type") for span in spans]
    assert kinds == ["unavailable", "unforeseen", None]
    assert [span.status.status_code.name for span in spans] == ["ERROR", "ERROR", "UNSET"]
    assert not any("canary" in span.to_json() for span in spans)


def test_the_metrics_are_instruments_too(sdk: Sdk) -> None:
    """The same numbers as for Prometheus, and how long each batch took."""
    memory = MemoryBroker()
    with memory.start() as broker:
        broker.publish_many([{"n": n} for n in range(7)])
        broker.flush(20)
        found = sdk.instruments()
    shown = {name for name in found if name.startswith("event_brokers.")}
    assert len(shown) == sum(
        each.kind is not Kind.HISTOGRAM and each != RECEIVED for each in METRICS
    )
    (delivered,) = found["event_brokers.delivered"]
    assert delivered.value == 7
    assert dict(delivered.attributes) == {"type": "memory", "name": "memory", "scope": "process"}
    states = {point.attributes["state"]: point.value for point in found["event_brokers.state"]}
    assert states["connected"] == 1
    assert sum(states.values()) == 1
    (duration,) = found["messaging.client.operation.duration"]
    assert duration.count == len(memory.batches)


OUTAGE = """
import sys, event_brokers
from opentelemetry.sdk.trace import TracerProvider
from event_brokers.metric_table import METRICS, RECEIVED, Kind
from event_brokers.telemetry import instrument
provider = TracerProvider()
instrument(tracer_provider=provider)
broker = event_brokers.connect({section!r})
with provider.get_tracer("test").start_as_current_span("turn") as span:
    broker.publish({{"sender_id": "a", "event": "user"}})
    print(f"{{span.get_span_context().trace_id:032x}}", flush=True)
sys.stdin.read()
"""


def test_a_trace_is_found_at_the_consumer_through_an_outage_and_a_kill(tmp_path: Path) -> None:
    """It is kept in the spool; the process that delivers in the end knows nothing of traces."""
    folder = tmp_path / "broker"
    section = {
        "type": "sql", "db": str(folder / "events.db"),
        "delivery": {"spool": str(tmp_path / "spool")},
    }  # fmt: skip
    command = [sys.executable, "-c", OUTAGE.format(section=section)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        active = next_line(process)
        assert len(active) == 32
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert not (folder / "events.db").exists()
    folder.mkdir()
    with event_brokers.connect(section) as broker:
        assert broker.flush(60).delivered == 1
    with event_brokers.consume(section, from_start=True) as consumer:
        found = trace.get_current_span(context_of(next(consumer))).get_span_context()
    assert f"{found.trace_id:032x}" == active
    assert found.is_remote


@contextmanager
def installed(*told: instrumentation.Instrumentation) -> Iterator[None]:
    """Tell them of events meanwhile."""
    for each in told:
        instrumentation.install(each)
    try:
        yield
    finally:
        for each in told:
            instrumentation.remove(each)


class AlwaysActive:
    """What an instrumentation says that is asked for headers with every event."""

    def is_active(self) -> bool:
        """Say so."""
        return True


class Failing(AlwaysActive):
    """An instrumentation with a bug."""

    def headers(self) -> dict[str, str]:
        """Fail."""
        raise ValueError("canary")

    def begin(self, type_name: str, events: Any) -> Any:
        """Fail at the end of every batch."""

        def end(error: BaseException | None) -> None:
            raise ValueError("canary", type_name, events, error)

        return end


def test_an_instrumentation_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Events are accepted and delivered; the log says so once, and shows no text of the error."""
    memory = MemoryBroker()
    with installed(Failing()), memory.start() as broker:
        for number in range(5):
            broker.publish({"n": number})
            broker.flush(20)
    assert len(memory.arrived) == 5
    told = [each.getMessage() for each in caplog.records if "instrumentation" in each.getMessage()]
    assert told == ["instrumentation: failed: ValueError"]


class Inactive(Failing):
    """An instrumentation that has nothing to add, and fails when it is asked for it."""

    def is_active(self) -> bool:
        """Say so."""
        return False


@pytest.mark.parametrize("others", [[], [Inactive()]])
def test_an_instrumentation_that_is_not_active_is_asked_for_nothing(
    others: list[Inactive], caplog: pytest.LogCaptureFixture
) -> None:
    """Not alone, and not beside another."""
    with installed(Inactive(), *others):
        assert Event.from_dict({"n": 1}).given_headers == {}
    assert not caplog.records


def test_one_active_instrumentation_beside_another_that_is_not_adds_its_headers() -> None:
    """In either order of their coming."""
    both: tuple[instrumentation.Instrumentation, ...] = (Inactive(), Adding({"a": "b"}))
    for told in (both, both[::-1]):
        with installed(*told):
            assert Event.from_dict({"n": 1}).given_headers["a"] == "b"


class OutOfTime(Exception):
    """What the application did has taken too long."""


class Interrupted(AlwaysActive):
    """An instrumentation amid which a signal comes."""

    def headers(self) -> Mapping[str, str]:
        """Be struck by a signal."""
        signal.raise_signal(signal.SIGUSR1)
        return {}

    def begin(self, _type_name: str, _events: Sequence[Any]) -> Any:
        """Note nothing."""
        return lambda _error: None


def test_a_time_limit_that_strikes_an_instrumentation_is_the_callers() -> None:
    """What a signal handler raises there is no failure of the instrumentation."""

    def time_is_up(_number: int, _frame: Any) -> None:
        raise OutOfTime

    before = signal.signal(signal.SIGUSR1, time_is_up)
    try:
        with installed(Interrupted()), MemoryBroker().start() as broker, pytest.raises(OutOfTime):
            broker.publish({"n": 1})
    finally:
        signal.signal(signal.SIGUSR1, before)


class Adding(AlwaysActive):
    """An instrumentation that adds whatever it is told to, and ends batches as it is told to.

    Parameters:
        added: what it adds.
        endings: what it raises at the end of each batch, in turn; None is nothing.
    """

    def __init__(self, added: Any = None, endings: Iterable[BaseException | None] = ()) -> None:
        self._added = added
        self._endings = iter(endings)

    def headers(self) -> Any:
        """Return what it adds."""
        return self._added

    def begin(self, _type_name: str, _events: Any) -> Any:
        """Raise at the end."""

        def end(_error: BaseException | None) -> None:
            found = next(self._endings, None)
            if found is not None:
                raise found

        return end


@pytest.mark.parametrize(
    "added",
    [{"x": "y" * 1000}, {"event_id": "mine"}, {"x": 1}, {"x": "a\nb"}, {1: "x"}, ["x"], 5],
    ids=["too large", "reserved", "no text", "a line", "no name", "no mapping", "a number"],
)
def test_what_cannot_be_added_is_left_out(added: Any) -> None:
    """Headers that are usable alone stay so, whatever an instrumentation adds to them."""
    given = {"large": "z" * (32 * 1024 - 100)}
    with installed(Adding(added)):
        assert Event.from_dict({"n": 1}, headers=given).given_headers == given


def test_headers_that_are_wrong_are_refused_with_instrumentation_too() -> None:
    """What is added to them makes them neither right nor another mistake."""
    with installed(Adding({"x": "y"})):
        for wrong in ({"event_id": "mine"}, ["x"]):
            with pytest.raises(InvalidEvent, match="headers: "):
                Event.from_dict({"n": 1}, headers=wrong)  # type: ignore[arg-type]


def test_an_end_that_ends_the_thread_sends_no_batch_twice() -> None:
    """What was confirmed stays so, and nothing has failed."""
    memory = MemoryBroker(QUICK)
    with installed(Adding(endings=[SystemExit(), KeyboardInterrupt()])), memory.start() as broker:
        for number in range(3):
            broker.publish({"n": number})
            assert broker.flush(20).pending == 0
        measured = ENGINES.all()[0].look()
    assert len(memory.arrived) == 3
    assert measured is not None
    assert measured.measured is not None
    assert measured.measured.failures == {}


def test_each_type_of_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """Also where they take turns."""
    memory = MemoryBroker()
    endings = [ValueError("canary"), TypeError("canary")] * 3
    with installed(Adding(endings=endings)), memory.start() as broker:
        for number in range(6):
            broker.publish({"n": number})
            broker.flush(20)
    told = [each.getMessage() for each in caplog.records if "instrumentation" in each.getMessage()]
    assert told == ["instrumentation: failed: ValueError", "instrumentation: failed: TypeError"]


def test_a_batch_whose_time_was_up_has_not_failed(sdk: Sdk) -> None:
    """The rest comes again at once: no error in the trace, as there is none in the counts."""
    memory = MemoryBroker(QUICK)

    def confirm_one(events: Sequence[Event]) -> None:
        raise PartlyPublished("the time was up", [events[0].id])

    memory.publishes.append(confirm_one)
    with memory.start() as broker:
        broker.publish_many([{"n": 1}, {"n": 2}])
        assert broker.flush(20).delivered == 2
    first, second = sdk.batches()
    assert first.status.status_code is second.status.status_code is trace.StatusCode.UNSET
    assert "error.type" not in (first.attributes or {})


def test_without_instrumentation_nothing_travels() -> None:
    """Nor after it was removed."""
    made = Sdk()
    made.instrument().remove()
    with made.tracer.start_as_current_span("turn"):
        assert Event.from_dict({"n": 1}).given_headers == {}
    assert instrumentation.installed == ()


def test_without_the_extra_importing_says_what_to_install() -> None:
    """One sentence with the pip command."""
    program = (
        "import sys\nsys.modules['opentelemetry'] = None\n"
        "try:\n    import event_brokers.telemetry\n"
        "except ModuleNotFoundError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == (
        "event_brokers.telemetry needs opentelemetry-api; "
        'pip install "event-brokers[opentelemetry]"\n'
    )
