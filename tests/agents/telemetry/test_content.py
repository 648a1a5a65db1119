"""What was said is told only when it is asked for, and without secrets and personal data even then."""

from __future__ import annotations

from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.agents.play import call, calls, scripted

from choragus.agents.runtime import Runtime
from choragus.agents.telemetry import Telemetry
from choragus.agents.tool import ToolContext, tool

SECRET = "sk-very-secret-and-long"
CARD = "4111 1111 1111 1111"


@tool(risk="read", secrets=("KEY",))
async def send(to: str, *, context: ToolContext) -> str:
    """Send a mail."""
    context.secret("KEY")
    return f"sent to {to}"


async def told(telemetry: Telemetry) -> str:
    """All attributes of all spans of a run in which secrets and personal data are said everywhere."""
    agent = scripted(calls(call("send", to=f"ada@example.org {SECRET}")), f"paid by {CARD}, {SECRET}", tools=[send])
    async with Runtime(agents=[agent], telemetry=telemetry, secrets={"KEY": SECRET}) as runtime:
        await (await runtime.start(agent, f"Mail ada@example.org, by {SECRET}.")).result(timeout=5)
    exporter = telemetry.exporter
    assert isinstance(exporter, InMemorySpanExporter)
    return str([(dict(span.attributes or {}), span.name, span.events) for span in exporter.get_finished_spans()])


async def test_s41_content_is_not_told_by_default() -> None:
    said = await told(Telemetry(exporter=InMemorySpanExporter()))

    assert "gen_ai.usage.input_tokens" in said
    assert not [
        word for word in ("Mail", "ada@", "sent to", "paid by", SECRET, "messages", "arguments") if word in said
    ]


async def test_s41_content_that_is_told_is_without_secrets_and_personal_data() -> None:
    said = await told(Telemetry(exporter=InMemorySpanExporter(), content=True))

    assert "sent to [redacted:email] [secret KEY]" in said
    assert "paid by [redacted:card], [secret KEY]" in said
    assert "Mail [redacted:email], by [secret KEY]." in said
    assert not [word for word in ("ada@", CARD, SECRET) if word in said]


async def test_the_runtimes_secrets_are_taken_out_whatever_else_is() -> None:
    said = await told(Telemetry(exporter=InMemorySpanExporter(), content=True, redact=lambda text: text.upper()))

    assert "MAIL ADA@EXAMPLE.ORG, BY [SECRET KEY]." in said
    assert SECRET.upper() not in said


async def test_a_redaction_that_fails_lets_nothing_out_and_stops_nothing() -> None:
    def fails(text: str) -> str:
        raise ValueError(f"no pattern for {text}")

    said = await told(Telemetry(exporter=InMemorySpanExporter(), content=True, redact=fails))

    assert "[not told: redact raised ValueError]" in said
    assert "invoke_agent clerk" in said
    assert not [word for word in ("Mail", "ada@", "sent to", "paid by", SECRET) if word in said]
