"""Where the telemetry of a runtime goes, as the application declares it; nothing of OpenTelemetry is imported here."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from math import inf
from typing import TYPE_CHECKING, Protocol, cast

import attrs

from .beginning import Since, is_since
from .content import Content
from .convention import Convention, chosen
from .outlet import Outlet

if TYPE_CHECKING:
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

SDK = "choragus.agents.telemetry.sdk"
REDACTION = "choragus.agents.policy.redacted"
"""Loaded by their names, when they are needed."""


class _Sdk(Protocol):
    def outlets(
        self,
        convention: Convention,
        exporter: SpanExporter | None,
        tracers: TracerProvider | None,
        meters: MeterProvider | None,
    ) -> list[Outlet]: ...


class _Redacted(Protocol):
    text: str


class _Redacting(Protocol):
    def redact(self, text: str) -> _Redacted: ...


@attrs.frozen(kw_only=True)
class Telemetry:
    """Spans and metrics of a runtime's runs, for `Runtime(telemetry=Telemetry())`.

    With neither an exporter nor a provider they go to the providers that the application has set; where it has set
    none, over OTLP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says, by default http://localhost:4318, which needs
    `pip install 'choragus[otlp]'`. No provider is ever set or replaced. `OTEL_SDK_DISABLED=true` turns all of it off.

    Args:
        exporter: any span exporter of the SDK. It is not shut down at the end, for it is yours.
        tracer_provider: a TracerProvider of the SDK: its processors, its resource and its sampler are used.
        meter_provider: where metrics go; by default to the one that the application has set.
        content: whether prompts, messages, arguments and results are told too. Off by default, for they are.
        since: where to begin in a file that was never opened with telemetry: at its "beginning", "now", or with what
            was entered at a time, which needs a time zone, or later. Afterwards it goes on where it stood.
        closing: seconds that an end of the runtime may take for what is left, 5 by default; the next process sends what
            was not taken by then.
        redact: what every text of these goes through, behind the runtime's secrets, which are taken out in any case;
            by default secrets and personal data are taken out as `RedactionPolicy` does.

    Raises:
        ValueError: when both an exporter and a tracer provider are given, or another is none of what it may be.
    """

    exporter: SpanExporter | None = None
    tracer_provider: TracerProvider | None = None
    meter_provider: MeterProvider | None = None
    content: bool = False
    redact: Callable[[str], str] | None = None
    since: Since = "beginning"
    closing: float = 5.0

    def __attrs_post_init__(self) -> None:
        if self.exporter is not None and self.tracer_provider is not None:
            raise ValueError("Telemetry(exporter=..., tracer_provider=...): spans go one way, so give one of them")
        if not is_since(self.since):
            raise ValueError(f"Telemetry(since={self.since!r}): give 'beginning', 'now' or a datetime with a time zone")
        closing: object = self.closing
        if isinstance(closing, bool) or not isinstance(closing, int | float) or not 0 < closing < inf:
            raise ValueError(f"Telemetry(closing={closing!r}): give seconds above 0, such as 5.0")

    def convention(self) -> Convention:
        """The names that the environment asks for."""
        return chosen()

    def outlets(self) -> list[Outlet]:
        """Where it all goes; this imports the SDK."""
        sdk = cast(_Sdk, import_module(SDK))
        return sdk.outlets(self.convention(), self.exporter, self.tracer_provider, self.meter_provider)

    def telling(self, scrubbed: Callable[[str], str]) -> Content | None:
        """How what was said is told; None: it is not. `scrubbed` takes the runtime's secrets out."""
        if not self.content:
            return None
        if self.redact is not None:
            return Content(_through(self.redact, scrubbed))
        redacting = cast(_Redacting, import_module(REDACTION))
        return Content(_through(lambda text: redacting.redact(text).text, scrubbed))


def _through(redact: Callable[[str], str], scrubbed: Callable[[str], str]) -> Callable[[str], str]:
    def told(text: str) -> str:
        try:
            return redact(scrubbed(text))
        except Exception as error:  # it is the user's code: what it says may hold the text, and no run ends by it
            return f"[not told: redact raised {type(error).__name__}]"

    return told
