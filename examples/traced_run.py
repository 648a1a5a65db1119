"""A run as a trace: it asks a person, is closed while the person thinks, goes on, and is one trace all the same.

Nothing is sent anywhere: the spans are kept in memory and drawn as a tree, as a viewer would.

    python examples/traced_run.py
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import anyio
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from choragus.agents import Agent, ModelReply, Runtime, ScriptedModel, Telemetry, ToolCall, Usage, tool

ASKS = Usage(input_tokens=120, output_tokens=20, cost_usd=0.002)


@tool(risk="read")
def invoice(number: str) -> str:
    """Look an invoice up."""
    return f"{number}: 120.00, due"


@tool(risk="irreversible")
def pay(number: str, amount: Decimal) -> str:
    """Pay an invoice."""
    return f"paid {amount} for {number}"


LINES = [
    ModelReply(calls=(ToolCall("a", "invoice", {"number": "A-17"}),), usage=ASKS),
    ModelReply(calls=(ToolCall("b", "pay", {"number": "A-17", "amount": "120.00"}),), usage=ASKS),
    ModelReply(text="A-17 is paid.", usage=ASKS),
]


def clerk() -> Agent:
    """An agent that looks before it pays."""
    return Agent("clerk", model=ScriptedModel(LINES), tools=[invoice, pay])


async def begin(file: Path, telemetry: Telemetry) -> str:
    """The first process: up to the question, and away."""
    agent = clerk()
    async with Runtime(file, agents=[agent], telemetry=telemetry) as runtime:
        run = await runtime.start(agent, "Pay what is due.")
        async for event in run.events():
            if event.kind == "approval.requested":
                break
    return run.id


async def go_on(file: Path, run: str, telemetry: Telemetry) -> None:
    """The second process: the person agrees."""
    async with Runtime(file, agents=[clerk()], telemetry=telemetry) as runtime:
        resumed = await runtime.run(run)
        await (await resumed.pending())[0].approve(by="mia")
        await resumed.result()


def drawn(spans: Sequence[ReadableSpan], above: int | None = None, depth: int = 0) -> list[str]:
    """The spans below one, in the order of their beginnings."""
    lines: list[str] = []
    for span in sorted(spans, key=lambda span: (span.start_time or 0, span.end_time or 0)):
        context, parent = span.get_span_context(), span.parent
        if context is None or (None if parent is None else parent.span_id) != above:
            continue
        linked = f"  (goes on from {len(span.links)} span)" if span.links else ""
        status = (span.attributes or {}).get("choragus.run.status", "")
        lines.append(f"{'  ' * depth}{span.name} {status}".rstrip() + linked)
        lines += [f"{'  ' * depth}  * {event.name}" for event in span.events]
        lines += drawn(spans, context.span_id, depth + 1)
    return lines


async def main() -> None:
    """Two processes, one trace."""
    exporter = InMemorySpanExporter()
    telemetry = Telemetry(exporter=exporter)
    with tempfile.TemporaryDirectory() as folder:
        run = await begin(Path(folder) / "runs.db", telemetry)
        await go_on(Path(folder) / "runs.db", run, telemetry)
    spans = exporter.get_finished_spans()
    traces = {context.trace_id for span in spans if (context := span.get_span_context()) is not None}
    print(f"{len(spans)} spans in {len(traces)} trace")
    print("\n".join(drawn(spans)))


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped")
