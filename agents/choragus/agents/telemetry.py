"""OpenTelemetry: spans built from the committed logbook, in the names of the GenAI conventions.

Ids come from the run and the call alone, so a span that is exported twice after a crash is the same span, and a run
that was killed and resumed is one trace. Nothing here runs while an agent does; a span is made when its end is on disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import TypeAlias

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from choragus.mailbox.turn import LogEntry

Exporter: TypeAlias = SpanExporter
ConsoleExporter: TypeAlias = ConsoleSpanExporter
Span: TypeAlias = ReadableSpan
Fields: TypeAlias = dict[str, object]
Attribute: TypeAlias = str | bool | int | float | tuple[str, ...]

CONVENTIONS = "1.41.0"
"""The version of the semantic conventions whose names stand in this table; those of choragus begin with its name.

`gen_ai.prompt.version` and `gen_ai.usage.reasoning.output_tokens` are of a later version; nothing else is called so.
"""

OPERATION = "gen_ai.operation.name"
PROVIDER = "gen_ai.provider.name"
MODEL = "gen_ai.request.model"
AGENT = "gen_ai.agent.name"
CONVERSATION = "gen_ai.conversation.id"
INPUT_TOKENS = "gen_ai.usage.input_tokens"
OUTPUT_TOKENS = "gen_ai.usage.output_tokens"
RESPONSE_MODEL = "gen_ai.response.model"
RESPONSE_ID = "gen_ai.response.id"
CACHE_READ_TOKENS = "gen_ai.usage.cache_read.input_tokens"
CACHE_CREATION_TOKENS = "gen_ai.usage.cache_creation.input_tokens"
REASONING_TOKENS = "gen_ai.usage.reasoning.output_tokens"
PROMPT_NAME = "gen_ai.prompt.name"
PROMPT_VERSION = "gen_ai.prompt.version"
FINISH_REASONS = "gen_ai.response.finish_reasons"
TOOL = "gen_ai.tool.name"
TOOL_CALL = "gen_ai.tool.call.id"
TOOL_TYPE = "gen_ai.tool.type"
ERROR_TYPE = "error.type"
COST = "choragus.cost_usd"
PROMPT_DIGEST = "choragus.prompt.digest"
STEP = "choragus.step"
RUN_STATUS = "choragus.run.status"
CALL_END = "choragus.call.end"

_OF_A_REPLY = {"answered_by": RESPONSE_MODEL, "reply": RESPONSE_ID}
_OF_ITS_TOKENS = {
    "cached_tokens": CACHE_READ_TOKENS,
    "cache_write_tokens": CACHE_CREATION_TOKENS,
    "reasoning_tokens": REASONING_TOKENS,
}
_OF_A_PROMPT = {"name": PROMPT_NAME, "version": PROMPT_VERSION, "digest": PROMPT_DIGEST}
"""Fields of the logbook that are there only when there is something to say, and what they are called."""

_SCOPE = InstrumentationScope("choragus", schema_url=f"https://opentelemetry.io/schemas/{CONVENTIONS}")
_NOT_ERRORS = ("completed", "cancelled")


def spans(entries: Iterable[LogEntry], resource: Resource) -> list[ReadableSpan]:
    """The spans that end with these entries: `invoke_agent`, `chat` and `execute_tool`."""
    made: list[ReadableSpan] = []
    for entry in entries:
        if entry.stream.startswith("run/"):
            run = entry.stream.removeprefix("run/")
            fields: Fields = msgspec.json.decode(entry.body)
            match entry.kind:
                case "model.replied" | "model.failed":
                    made.append(_chat(run, fields, resource))
                case "call.finished" if fields["ran"]:
                    made.append(_execute_tool(run, fields, resource))
                case "run.ended":
                    made.append(_invoke_agent(run, fields, resource))
                case _:
                    pass
    return made


def export(exporter: Exporter, made: Sequence[ReadableSpan]) -> bool:
    """Hand spans to an exporter; whether it took them. Blocks as long as the exporter does."""
    return exporter.export(made) is SpanExportResult.SUCCESS


def default_resource() -> Resource:
    """The resource that the environment names (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), else choragus."""
    named = Resource.create()
    known = str(named.attributes.get("service.name", "unknown_service"))
    return Resource.create({"service.name": "choragus"}) if known.startswith("unknown_service") else named


def traceparent(run: str, call: str) -> str:
    """What tells another service that it works for this call: the span of the call, as W3C's `traceparent` has it."""
    context = _context(run, f"call {call}")
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def _chat(run: str, fields: Fields, resource: Resource) -> ReadableSpan:
    attributes: dict[str, Attribute] = {
        OPERATION: "chat",
        PROVIDER: _text(fields, "provider"),
        MODEL: _text(fields, "model"),
        CONVERSATION: run,
        STEP: _whole(fields, "step"),
    }
    prompt = fields.get("prompt")
    if isinstance(prompt, dict):
        attributes |= {name: str(prompt[field]) for field, name in _OF_A_PROMPT.items() if field in prompt}
    failed = "reason" in fields
    if not failed:
        attributes |= {FINISH_REASONS: (_text(fields, "stop"),), **_usage(fields)}
        attributes |= {name: _text(fields, field) for field, name in _OF_A_REPLY.items() if field in fields}
        attributes |= {name: _whole(fields, field) for field, name in _OF_ITS_TOKENS.items() if field in fields}
    part = f"chat {fields['step']}.{fields['attempt']}"
    error = str(fields.get("error", "model_error")) if failed else ""
    return _span(run, part, f"chat {fields['model']}", attributes, fields, resource, kind=SpanKind.CLIENT, error=error)


def _execute_tool(run: str, fields: Fields, resource: Resource) -> ReadableSpan:
    attributes: dict[str, Attribute] = {
        OPERATION: "execute_tool",
        TOOL: _text(fields, "tool"),
        TOOL_TYPE: "function",
        TOOL_CALL: _text(fields, "call"),
        CONVERSATION: run,
        CALL_END: _text(fields, "end"),
    }
    error = "tool_error" if fields["is_error"] else ""
    part = f"call {fields['call']}"
    return _span(run, part, f"execute_tool {fields['tool']}", attributes, fields, resource, error=error)


def _invoke_agent(run: str, fields: Fields, resource: Resource) -> ReadableSpan:
    status = _text(fields, "status")
    attributes: dict[str, Attribute] = {
        OPERATION: "invoke_agent",
        AGENT: _text(fields, "agent"),
        CONVERSATION: run,
        RUN_STATUS: status,
        **_usage(fields),
    }
    error = "" if status in _NOT_ERRORS else status
    return _span(run, "", f"invoke_agent {fields['agent']}", attributes, fields, resource, error=error)


def _usage(fields: Fields) -> dict[str, Attribute]:
    return {
        INPUT_TOKENS: _whole(fields, "input_tokens"),
        OUTPUT_TOKENS: _whole(fields, "output_tokens"),
        COST: _number(fields, "cost_usd"),
    }


def _span(
    run: str,
    part: str,
    name: str,
    attributes: dict[str, Attribute],
    fields: Fields,
    resource: Resource,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    error: str = "",
) -> ReadableSpan:
    """One span; the part "" is the run itself, the parent of all others."""
    if error:
        attributes[ERROR_TYPE] = error
    return ReadableSpan(
        name=name,
        context=_context(run, part),
        parent=_context(run, "") if part else None,
        resource=resource,
        attributes=attributes,
        kind=kind,
        instrumentation_scope=_SCOPE,
        status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
        start_time=_nanoseconds(fields, "started"),
        end_time=_nanoseconds(fields, "ended"),
    )


def _context(run: str, part: str) -> SpanContext:
    trace = int.from_bytes(sha256(b"trace:" + run.encode()).digest()[:16], "big")
    span = int.from_bytes(sha256(f"span:{run}:{part}".encode()).digest()[:8], "big")
    return SpanContext(trace or 1, span or 1, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def _text(fields: Fields, name: str) -> str:
    return str(fields[name])


def _whole(fields: Fields, name: str) -> int:
    return int(_number(fields, name))


def _number(fields: Fields, name: str) -> float:
    value = fields[name]
    return float(value) if isinstance(value, int | float) else 0.0


def _nanoseconds(fields: Fields, name: str) -> int:
    return int(_number(fields, name) * 1_000_000_000)
