"""Where telemetry goes: to the application's own provider, an exporter, OTLP, or nowhere; as the environment says."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import MeterProvider, NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, TraceIdRatioBased
from tests.agents.play import Ledger, call, calls, scripted, tools, until

from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.telemetry import Telemetry
from choragus.mailbox.memory import MemoryStore


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is said by the environment."""
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_SAMPLER", "OTEL_SEMCONV_STABILITY_OPT_IN", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


async def play(telemetry: Telemetry | None, *, times: int = 1, store: MemoryStore | None = None) -> None:
    """Some runs, each of which asks a person once."""
    lines: list[Answer | Exception] = [calls(call("pay", amount=1)), "done"]
    agent = scripted(*lines * times, tools=tools(Ledger()))
    async with Runtime(store=store or MemoryStore(), agents=[agent], telemetry=telemetry) as runtime:
        for number in range(times):
            run = await runtime.start(agent, "Go.", key=str(number))
            await until(run, "approval.requested")
            await run.approve((await run.pending())[0], by="me")
            await run.result(timeout=5)


@pytest.fixture
def application() -> Iterator[tuple[TracerProvider, InMemorySpanExporter]]:
    """A provider of the application, with its own resource and a processor that works in batches."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=60_000))
    yield provider, exporter
    provider.shutdown()


async def test_an_applications_provider_gets_the_spans_with_our_ids_and_its_resource(
    application: tuple[TracerProvider, InMemorySpanExporter],
) -> None:
    provider, exporter = application
    store, plain = MemoryStore(), InMemorySpanExporter()
    await play(Telemetry(tracer_provider=provider), store=store)

    agent = scripted("done", tools=tools(Ledger()))
    found = exporter.get_finished_spans()
    async with Runtime(store=store, agents=[agent], on_change="warn", exporter=plain):
        pass

    assert sorted(span.name for span in found) == [
        *("chat scripted", "chat scripted", "choragus.approval", "execute_tool pay"),
        *("invoke_agent clerk", "invoke_agent clerk"),
    ]
    assert {span.resource.attributes["service.name"] for span in found} == {"shop"}
    assert len({span.get_span_context().trace_id for span in found}) == 1  # type: ignore[union-attr]  # they have one
    assert plain.get_finished_spans() == ()  # the cursor has moved


async def test_the_provider_that_the_application_has_set_is_used_and_never_replaced(
    application: tuple[TracerProvider, InMemorySpanExporter], monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, exporter = application
    reader = InMemoryMetricReader()
    meters = SdkMeterProvider([reader], shutdown_on_exit=False)
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: meters)

    await play(Telemetry())

    assert len(exporter.get_finished_spans()) == 6
    assert reader.get_metrics_data() is not None
    meters.shutdown()


@pytest.mark.parametrize(("sampler", "most"), [(ALWAYS_OFF, 0), (TraceIdRatioBased(0.5), 15)], ids=["off", "half"])
async def test_the_sampler_of_the_provider_decides_about_whole_traces(sampler: object, most: int) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)  # type: ignore[arg-type]  # one of the two
    provider.add_span_processor(BatchSpanProcessor(exporter))
    await play(Telemetry(tracer_provider=provider), times=16)
    provider.shutdown()

    by_trace: dict[int, int] = {}
    for span in exporter.get_finished_spans():
        context = span.get_span_context()
        assert context is not None
        by_trace[context.trace_id] = by_trace.get(context.trace_id, 0) + 1
    assert set(by_trace.values()) <= {6}
    assert len(by_trace) <= most
    assert bool(by_trace) == bool(most)


async def test_an_exporter_samples_as_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    exporter = InMemorySpanExporter()

    await play(Telemetry(exporter=exporter))

    assert exporter.get_finished_spans() == ()


async def test_the_environment_turns_all_of_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    exporter, store = InMemorySpanExporter(), MemoryStore()

    await play(Telemetry(exporter=exporter), store=store)

    assert exporter.get_finished_spans() == ()
    assert await store.cursor("tracer") == 0


async def test_without_the_extra_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)

    with pytest.raises(ImportError, match=r"pip install 'choragus\[otlp\]'"):
        await play(Telemetry())


async def test_a_protocol_that_is_not_spoken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")

    with pytest.raises(ValueError, match=r"^OTEL_EXPORTER_OTLP_PROTOCOL='grpc': only http/protobuf"):
        await play(Telemetry())


async def test_an_exporter_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "zipkin")

    with pytest.raises(ValueError, match=r"^OTEL_TRACES_EXPORTER='zipkin' is none of"):
        await play(Telemetry())


def test_spans_go_one_way() -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)

    with pytest.raises(ValueError, match="spans go one way"):
        Telemetry(exporter=exporter, tracer_provider=provider)
    with pytest.raises(ValueError, match="were both given"):
        Runtime(agents=[scripted("done")], exporter=exporter, telemetry=Telemetry())


async def measured(
    telemetry: Telemetry, reader: InMemoryMetricReader
) -> dict[str, list[tuple[dict[str, object], float]]]:
    """The values that the reader has, by metric: of a histogram its sum."""
    data = reader.get_metrics_data()
    found: dict[str, list[tuple[dict[str, object], float]]] = {}
    for resource in data.resource_metrics if data is not None else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                found[metric.name] = [
                    (dict(point.attributes or {}), float(getattr(point, "sum", getattr(point, "value", 0.0))))
                    for point in metric.data.data_points
                ]
    return found


async def test_metrics_are_counted_from_the_logbook_once() -> None:
    reader, store = InMemoryMetricReader(), MemoryStore()
    provider = SdkMeterProvider([reader], shutdown_on_exit=False)
    telemetry = Telemetry(exporter=InMemorySpanExporter(), meter_provider=provider)
    await play(telemetry, times=3, store=store)
    async with Runtime(store=store, agents=[scripted("done")], on_change="warn", telemetry=telemetry):
        pass

    found = await measured(telemetry, reader)
    provider.shutdown()

    ended = {"gen_ai.agent.name": "clerk", "choragus.run.status": "completed"}
    assert found["choragus.runs.ended"] == [(ended, 3)]
    assert found["choragus.runs.started"] == [({"gen_ai.agent.name": "clerk"}, 3)]
    decided = {"choragus.tool": "pay", "choragus.approval.approved": True}
    assert found["choragus.approvals.decided"] == [(decided, 3)]
    about = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
    assert found["gen_ai.invoke_agent.inference_calls"] == [(about, 6)]
    assert found["gen_ai.invoke_agent.tool_calls"] == [(about, 3)]
    assert {str(one["gen_ai.token.type"]) for one, _ in found["gen_ai.client.token.usage"]} == {"input", "output"}
    assert {str(one["choragus.actor.type"]) for one, _ in found["choragus.mailbox.depth"]} >= {"Orchestrator", "Tracer"}
    assert found["choragus.approvals.waiting"] == [({}, 0)]
    assert await store.cursor("meter") == await store.cursor("tracer")


async def test_the_time_that_a_person_took_is_no_time_of_the_run() -> None:
    reader = InMemoryMetricReader()
    provider = SdkMeterProvider([reader], shutdown_on_exit=False)
    now = [1_000_000.0]
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    async with Runtime(
        agents=[agent],
        clock=lambda: now[0],
        telemetry=Telemetry(exporter=InMemorySpanExporter(), meter_provider=provider),
    ) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        now[0] += 3 * 86_400
        await run.approve((await run.pending())[0], by="me")
        await run.result(timeout=5)

    found = await measured(Telemetry(), reader)
    provider.shutdown()
    assert [value for _, value in found["gen_ai.invoke_agent.duration"]] == [0]
    assert [value for _, value in found["choragus.approvals.wait"]] == [3 * 86_400]


class Broken(NoOpMeterProvider):
    """A provider that does not let go of what it has."""

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Nobody listens."""
        return False


@pytest.mark.parametrize(
    ("provider", "moves"), [(Broken(), False), (NoOpMeterProvider(), True)], ids=["stuck", "plain"]
)
async def test_what_has_not_left_the_provider_is_measured_again_by_the_next_process(
    provider: MeterProvider, moves: bool
) -> None:
    store = MemoryStore()

    await play(Telemetry(exporter=InMemorySpanExporter(), meter_provider=provider), store=store)

    assert (await store.cursor("meter") > 0) == moves
    assert await store.cursor("tracer") > 0
