"""OpenTelemetry: spans and metrics made from the committed logbook, in the names of the GenAI conventions.

What is behind this door is imported when it is first asked for, the SDK too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from choragus.mailbox.door import lazily

if TYPE_CHECKING:
    from .declaration import Telemetry
    from .sdk import ConsoleExporter, Exporter, default_resource

__all__ = ["ConsoleExporter", "Exporter", "Telemetry", "default_resource"]

_MODULES = {".declaration": ("Telemetry",), ".sdk": ("ConsoleExporter", "Exporter", "default_resource")}
"""Where the names are defined, as the imports above say it too."""

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _MODULES)
