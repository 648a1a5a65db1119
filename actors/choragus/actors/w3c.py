"""The trace that messages from the host are part of: it stands in their envelopes, and in those of all that follows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TRACE: ContextVar[str] = ContextVar("choragus.trace", default="")


@contextmanager
def in_trace(traceparent: str) -> Iterator[None]:
    """What the host sends to durable actors meanwhile carries this, a `traceparent` as W3C has it."""
    token = TRACE.set(traceparent)
    try:
        yield
    finally:
        TRACE.reset(token)
