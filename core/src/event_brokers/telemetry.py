"""Traces and metrics by OpenTelemetry's API: the extra `event-brokers[opentelemetry]`.

::

    event_brokers.telemetry.instrument()
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from event_brokers import instrumentation, metric_table
from event_brokers.event import Event, ReceivedEvent
from event_brokers.measurements import kind_of
from event_brokers.metric_samples import Sample, samples

try:
    from opentelemetry import context, metrics, trace
    from opentelemetry.baggage.propagation import W3CBaggagePropagator
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "event_brokers.telemetry needs opentelemetry-api; "
        'pip install "event-brokers[opentelemetry]"',
        name=error.name,
    ) from error

__all__ = ["Telemetry", "context_of", "instrument"]

_SCOPE = "event_brokers"
_MOST_LINKS = 128  # that an SDK keeps of a span unless it is told otherwise
_SYSTEMS = {"pika": "rabbitmq"}  # names of the semantic conventions for messaging
_LOOK_SECONDS = 0.5  # for which all instruments of one collection show the same look
_TRACE, _BAGGAGE = TraceContextTextMapPropagator(), W3CBaggagePropagator()
_SUFFIXES = (("_total", ""), ("_seconds", "s"), ("_bytes", "By"))


class Telemetry:
    """Puts the active trace into the headers of events, and makes a span of each batch.

    Parameters:
        tracer: makes the spans.
        meter: makes the instruments.
        with_baggage: whether baggage travels, too; it may hold what is nobody else's.
    """

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter, *, with_baggage: bool) -> None:
        self._tracer = tracer
        self._with_baggage = with_baggage
        self._duration = meter.create_histogram(
            "messaging.client.operation.duration", "s", "how long the broker took for a batch"
        )
        _Instruments(meter)

    def remove(self) -> None:
        """Add nothing to events any more, and make no more spans."""
        instrumentation.remove(self)

    # without an SDK the current context is empty, which is all that is asked for an event then
    is_active = staticmethod(context.get_current)

    def headers(self) -> Mapping[str, str]:
        """Return the active trace context, and the baggage where it travels."""
        carrier: dict[str, str] = {}
        _TRACE.inject(carrier)
        if self._with_baggage:
            _BAGGAGE.inject(carrier)
        return carrier

    def begin(
        self, type_name: str, events: Sequence[Event]
    ) -> Callable[[BaseException | None], None]:
        """Begin the span of a batch, with a link to what was active when each event was made."""
        attributes = {
            "messaging.system": _SYSTEMS.get(type_name, type_name),
            "messaging.operation.name": "publish",
            "messaging.operation.type": "send",
        }
        span = self._tracer.start_span(
            f"publish {type_name}",
            context.Context(),  # of no trace: its events are of many
            trace.SpanKind.PRODUCER,
            {**attributes, "messaging.batch.message_count": len(events)},
            list(_links(events)),
        )
        token, began = context.attach(trace.set_span_in_context(span)), time.perf_counter()

        def end(error: BaseException | None) -> None:
            context.detach(token)
            kind = kind_of(error)
            failed = {} if kind is None else {"error.type": kind}
            if kind is not None:
                span.set_status(trace.StatusCode.ERROR, kind)  # its text may hold an event
            span.set_attributes(failed)
            span.end()
            self._duration.record(time.perf_counter() - began, {**attributes, **failed})

        return end


def instrument(
    *,
    with_baggage: bool = False,
    tracer_provider: trace.TracerProvider | None = None,
    meter_provider: metrics.MeterProvider | None = None,
) -> Telemetry:
    """Let the trace that is active at `publish` travel with each event; call it once.

    It stands in the event's headers, `traceparent` and `tracestate`, is kept in the spool, and
    survives restart, retry and replay. What was given as headers comes first.

    Spans are ended on the thread that delivers: give them to a `BatchSpanProcessor`, for what
    exports there and then holds up delivery for as long as that takes.

    Parameters:
        with_baggage: whether the header `baggage` travels, too.
        tracer_provider: makes spans of batches; the global one unless given.
        meter_provider: gets the metrics; the global one unless given.
    """
    telemetry = Telemetry(
        trace.get_tracer(_SCOPE, tracer_provider=tracer_provider),
        metrics.get_meter(_SCOPE, meter_provider=meter_provider),
        with_baggage=with_baggage,
    )
    instrumentation.install(telemetry)
    return telemetry


def context_of(received: ReceivedEvent) -> context.Context:
    """Return the context that was active when an event was published, for a consumer's span.

    Parameters:
        received: as a consumer yields it.
    """
    return _BAGGAGE.extract(received.headers, _TRACE.extract(received.headers, context.Context()))


def _links(events: Iterable[Event]) -> Iterator[trace.Link]:
    carriers = {
        traceparent: event.given_headers
        for event in events
        if (traceparent := event.given_headers.get("traceparent")) is not None
    }
    for carrier in list(carriers.values())[:_MOST_LINKS]:
        found = trace.get_current_span(_TRACE.extract(carrier, context.Context()))
        if found.get_span_context().is_valid:
            yield trace.Link(found.get_span_context())


class _Instruments:
    """Observable instruments of all metrics but histograms, which the API wants value by value."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._found: dict[str, list[Sample]] = {}
        self._looked_at = -_LOOK_SECONDS
        makers: dict[metric_table.Kind, Any] = {
            metric_table.Kind.COUNTER: meter.create_observable_counter,
            metric_table.Kind.GAUGE: meter.create_observable_gauge,
        }
        for metric in metric_table.METRICS:
            if metric.kind in makers:
                name, unit = _name_and_unit(metric.name)
                makers[metric.kind](name, [self._observer(metric)], unit, metric.text)

    def _observer(
        self, metric: metric_table.Metric
    ) -> Callable[[Any], Iterator[metrics.Observation]]:
        def observe(_options: Any) -> Iterator[metrics.Observation]:
            for sample in self._now().get(metric.name, ()):
                labels = zip(("type", "name", *metric.labels), sample.labels, strict=True)
                if isinstance(sample.value, (int, float)):
                    yield metrics.Observation(sample.value, dict(labels))

        return observe

    def _now(self) -> dict[str, list[Sample]]:
        if time.monotonic() >= self._looked_at + _LOOK_SECONDS:
            found: dict[str, list[Sample]] = {}
            for sample in samples():
                found.setdefault(sample.metric.name, []).append(sample)
            self._found, self._looked_at = found, time.monotonic()
        return self._found


def _name_and_unit(name: str) -> tuple[str, str]:
    """Return "event_brokers.oldest_pending" and "s" for event_brokers_oldest_pending_seconds."""
    short = f"{_SCOPE}.{name.removeprefix(metric_table.PREFIX)}"
    for suffix, unit in _SUFFIXES:
        if short.endswith(suffix):
            return short.removesuffix(suffix), unit or "1"
    return short, "1"
