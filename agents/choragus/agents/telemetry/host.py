"""The trace that the host is in when it starts a run."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Protocol, cast

from .identity import checked

API = "choragus.agents.telemetry.api"


class _Host(Protocol):
    def host_traceparent(self) -> str: ...


def begun_in(traceparent: str | None) -> str:
    """The trace that a run begins in: the one that is given, else that of the host, if it has OpenTelemetry at all.

    Raises:
        ValueError: when what is given is no `traceparent`.
    """
    if traceparent is not None:
        return checked(traceparent) if traceparent else ""
    if "opentelemetry.trace" not in sys.modules:
        return ""
    return cast(_Host, import_module(API)).host_traceparent()
