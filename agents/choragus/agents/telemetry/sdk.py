"""The one module that imports OpenTelemetry: what was told takes the form of its SDK, and is handed over.

It is loaded by its name when a runtime is opened with telemetry, or the host's own traces are looked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType
from typing import Protocol, TypeAlias, cast

from opentelemetry import metrics, trace
from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider, Observation
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from . import convention as names
from .convention import Convention
from .fact import Facts, Happened, Link, Point, SpanFact
from .identity import SpanRef
from .metric import GAUGES, METRICS
from .outlet import Item, Outlet, Reading

Exporter: TypeAlias = SpanExporter
ConsoleExporter: TypeAlias = ConsoleSpanExporter
Span: TypeAlias = ReadableSpan

SPANS, MEASURES = "tracer", "meter"
"""The cursors."""

FLUSHING = 8_000
"""Milliseconds that a provider has to let go of what it holds, below what the tracer waits."""

SOME = 10.0
"""Seconds between two confirmations of metrics."""

_OTLP = "opentelemetry.exporter.otlp.proto.http"


class _Provider(Protocol):
    """What the SDK's meter provider has beside the interface."""

    def force_flush(self, timeout_millis: float = ...) -> bool: ...

    def shutdown(self) -> None: ...


def is_disabled() -> bool:
    """Whether the environment turns OpenTelemetry off altogether."""
    return os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"


def default_resource() -> Resource:
    """The resource that the environment names (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), else choragus."""
    named = Resource.create()
    known = str(named.attributes.get("service.name", "unknown_service"))
    return Resource.create({"service.name": "choragus"}) if known.startswith("unknown_service") else named


def outlets(
    convention: Convention, exporter: Exporter | None, tracers: TracerProvider | None, meters: MeterProvider | None
) -> list[Outlet]:
    """Where spans and metrics go; none where the environment turns them off.

    Raises:
        ImportError: when nobody has said where, and what OTLP needs is not installed.
        TypeError: when the application's provider is none of the SDK.
    """
    if is_disabled():
        return []
    found: list[Outlet] = []
    known = trace.get_tracer_provider()
    if exporter is None and tracers is None and isinstance(known, TracerProvider):
        tracers = known
    is_own = exporter is None and tracers is None
    if tracers is not None:
        found.append(ProviderSpans(convention, tracers))
    elif exporter is not None:
        found.append(ExporterSpans(convention, exporter, is_own=False))
    elif _is_on("OTEL_TRACES_EXPORTER"):
        found.append(ExporterSpans(convention, _otlp_spans(), is_own=True))
    if meters is None and hasattr(metrics.get_meter_provider(), "force_flush"):
        meters = metrics.get_meter_provider()
    if meters is not None:
        found.append(Measures(convention, meters, is_own=False))
    elif is_own and _is_on("OTEL_METRICS_EXPORTER"):
        found.append(Measures(convention, _otlp_metrics(), is_own=True))
    return found


class ExporterSpans:
    """Spans to an exporter: they are taken when it says so."""

    cursor = SPANS
    every = 0.0
    dropped = 0

    def __init__(self, convention: Convention, exporter: Exporter, *, is_own: bool) -> None:
        self._exporter = exporter
        self._is_own = is_own
        self._resource = default_resource()
        self._scope = _scope(convention)
        self._sampler = TracerProvider(resource=self._resource, shutdown_on_exit=False).sampler

    def samples(self, trace_id: int, agent: str) -> bool:
        """As `OTEL_TRACES_SAMPLER` says."""
        return _samples(self._sampler, trace_id, agent)

    def of(self, facts: Facts) -> Sequence[Item]:
        """The spans."""
        return facts.spans

    def take(self, items: Sequence[Item]) -> bool:
        """Export them."""
        made = [readable(one, self._resource, self._scope) for one in items if isinstance(one, SpanFact)]
        return self._exporter.export(made) is SpanExportResult.SUCCESS

    def confirm(self) -> bool:
        """They are when they are taken."""
        return True

    def close(self) -> None:
        """Only what was made here."""
        if self._is_own:
            self._exporter.shutdown()


class ProviderSpans:
    """Spans to the processors of an application's provider, with its resource and its sampler.

    They are handed to `on_end` as they are: their ids are the run's, which no tracer of the SDK could be told. What
    processors do in `on_start` is not done.
    """

    cursor = SPANS
    every = 0.0
    dropped = 0

    def __init__(self, convention: Convention, provider: TracerProvider) -> None:
        self._scope = _scope(convention)
        self._provider = provider
        tracer = provider.get_tracer(self._scope.name, self._scope.version, self._scope.schema_url)
        if not isinstance(tracer, SdkTracer):
            raise TypeError(f"{type(provider).__name__} is no TracerProvider of opentelemetry-sdk: give exporter=...")
        self._tracer = tracer

    def samples(self, trace_id: int, agent: str) -> bool:
        """As the provider's sampler says."""
        return _samples(self._tracer.sampler, trace_id, agent)

    def of(self, facts: Facts) -> Sequence[Item]:
        """The spans."""
        return facts.spans

    def take(self, items: Sequence[Item]) -> bool:
        """Hand them to the processors, and wait until these have let go of them."""
        for one in items:
            if isinstance(one, SpanFact):
                self._tracer.span_processor.on_end(readable(one, self._tracer.resource, self._scope))
        return self._provider.force_flush(FLUSHING)

    def confirm(self) -> bool:
        """They are when they are taken."""
        return True

    def close(self) -> None:
        """The provider is the application's."""


class Measures:
    """Values to the instruments of a meter provider."""

    cursor = MEASURES
    every = SOME
    dropped = 0

    def __init__(self, convention: Convention, provider: MeterProvider, *, is_own: bool) -> None:
        scope = _scope(convention)
        self.live: dict[str, Sequence[Reading]] = {}
        self._provider = provider
        self._is_own = is_own
        self._meter: Meter = provider.get_meter(scope.name, scope.version, scope.schema_url)
        self._instruments: dict[str, Counter | Histogram] = {}
        for name in GAUGES:
            self._observe(name)

    def samples(self, trace_id: int, agent: str) -> bool:
        """What is measured is measured of all runs."""
        return True

    def of(self, facts: Facts) -> Sequence[Item]:
        """The values."""
        return facts.points

    def take(self, items: Sequence[Item]) -> bool:
        """Record them."""
        for one in items:
            if isinstance(one, Point):
                instrument = self._instruments.get(one.metric) or self._instrument(one.metric)
                value = max(0.0, one.value)
                if isinstance(instrument, Histogram):
                    instrument.record(value, one.attributes)
                else:
                    instrument.add(value, one.attributes)
        return True

    def confirm(self) -> bool:
        """Whether the provider has let go of them; one that cannot be asked has."""
        if not hasattr(self._provider, "force_flush"):
            return True
        return cast(_Provider, self._provider).force_flush(FLUSHING)

    def close(self) -> None:
        """Only what was made here."""
        if self._is_own:
            cast(_Provider, self._provider).shutdown()

    def _instrument(self, name: str) -> Counter | Histogram:
        metric, made = METRICS[name], self._instruments
        if metric.buckets:
            made[name] = self._meter.create_histogram(
                name, metric.unit, metric.says, explicit_bucket_boundaries_advisory=list(metric.buckets)
            )
        else:
            made[name] = self._meter.create_counter(name, metric.unit, metric.says)
        return made[name]

    def _observe(self, name: str) -> None:
        metric = GAUGES[name]

        def look(_: object) -> Iterable[Observation]:
            return [Observation(value, attributes) for value, attributes in self.live.get(name, ())]

        if name in names.GROWING:
            self._meter.create_observable_counter(name, [look], metric.unit, metric.says)
        else:
            self._meter.create_observable_gauge(name, [look], metric.unit, metric.says)


def readable(fact: SpanFact, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
    """A span of the SDK."""
    attributes = {**fact.attributes, names.ERROR_TYPE: fact.error} if fact.error else fact.attributes
    return ReadableSpan(
        name=fact.name,
        context=_context(fact.at),
        parent=None if fact.parent is None else _context(fact.parent),
        resource=resource,
        attributes=attributes,
        events=[_event(one) for one in fact.events],
        links=[_link(one) for one in fact.links],
        kind=SpanKind.CLIENT if fact.is_client else SpanKind.INTERNAL,
        instrumentation_scope=scope,
        status=Status(StatusCode.ERROR, fact.error) if fact.error else Status(StatusCode.UNSET),
        start_time=_nanoseconds(fact.started),
        end_time=_nanoseconds(fact.ended),
    )


def _event(one: Happened) -> Event:
    return Event(one.name, one.attributes, _nanoseconds(one.at))


def _link(one: Link) -> trace.Link:
    return trace.Link(_context(one.to), one.attributes)


def _context(ref: SpanRef) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if ref.sampled else TraceFlags.DEFAULT)
    return SpanContext(ref.trace, ref.span, is_remote=ref.remote, trace_flags=flags)


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1_000_000_000)


def _scope(convention: Convention) -> InstrumentationScope:
    return InstrumentationScope("choragus", schema_url=convention.schema)


def _samples(sampler: Sampler, trace_id: int, agent: str) -> bool:
    attributes = {names.OPERATION: names.INVOKE_AGENT, names.AGENT: agent}
    name = f"{names.INVOKE_AGENT} {agent}"
    decision = sampler.should_sample(None, trace_id, name, SpanKind.INTERNAL, attributes).decision
    return decision is Decision.RECORD_AND_SAMPLE


def _is_on(variable: str) -> bool:
    """Whether the environment wants this signal; it may name no exporter but OTLP.

    Raises:
        ValueError: when it names another.
    """
    said = os.environ.get(variable, "").strip().lower()
    if said in ("", "otlp"):
        return True
    if said == "none":
        return False
    raise ValueError(f"{variable}={said!r} is none of 'otlp', 'none': give Telemetry(exporter=...) for another")


def _otlp_spans() -> Exporter:
    found: type[Exporter] = _otlp("trace_exporter").OTLPSpanExporter
    return found()


def _otlp_metrics() -> MeterProvider:
    sdk, export = import_module("opentelemetry.sdk.metrics"), import_module("opentelemetry.sdk.metrics.export")
    reader = export.PeriodicExportingMetricReader(_otlp("metric_exporter").OTLPMetricExporter())
    made: MeterProvider = sdk.MeterProvider([reader], resource=default_resource(), shutdown_on_exit=False)
    return made


def _otlp(module: str) -> ModuleType:
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    if protocol != "http/protobuf":
        raise ValueError(
            f"OTEL_EXPORTER_OTLP_PROTOCOL={protocol!r}: only http/protobuf is spoken here; set that, or give "
            "Telemetry(exporter=...) an exporter of your own"
        )
    try:
        return import_module(f"{_OTLP}.{module}")
    except ImportError as error:
        raise ImportError("exporting over OTLP needs its exporter: pip install 'choragus[otlp]'") from error
