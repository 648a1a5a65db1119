"""What is asked of OpenTelemetry's interface alone, without its SDK; loaded by its name where the host has it."""

from __future__ import annotations

from opentelemetry import trace

from .identity import SpanRef


def host_traceparent() -> str:
    """The span that the host is in now, as W3C has it; empty when it is in none."""
    context = trace.get_current_span().get_span_context()
    if not context.is_valid:
        return ""
    return SpanRef(context.trace_id, context.span_id, context.trace_flags.sampled).traceparent
