"""OpenTelemetry: spans and metrics made from the committed logbook, in the names of the GenAI conventions.

What needs the SDK is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .declaration import SDK, Telemetry

if TYPE_CHECKING:
    from .sdk import ConsoleExporter, Exporter, default_resource

__all__ = ["ConsoleExporter", "Exporter", "Telemetry", "default_resource"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(SDK), name)
    globals()[name] = found
    return found
