"""OpenAI's models, and those of every endpoint that speaks one of its two formats."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Literal

from choragus.agents.model import Price

from .adapter import MAX_OUTPUT_TOKENS, MAX_REPLY_BYTES, TIMEOUT, Adapter, Bounds
from .chat import ChatFormat
from .connection import Connection, access, check_extra
from .option import check_options
from .place import Place
from .responses import ResponsesFormat
from .tariff import Tariffs
from .wire import Format

Interface = Literal["responses", "chat"]
StructuredOutput = Literal["native", "instructions"]

HOME = "api.openai.com"

_REASONS = re.compile(r"(o[1-9]|gpt-[5-9]|codex)(?!.*chat)")
"""Models whose thoughts can be sent back; the others refuse to be asked for them."""


class OpenAIModel(Adapter):
    """A model of OpenAI, or of an endpoint that is compatible with it. Needs the extra `openai`.

        Agent("clerk", model=OpenAIModel("gpt-5-mini"))
        Agent("clerk", model=OpenAIModel("qwen3", base_url="http://127.0.0.1:11434/v1", price=Price()))

    It never retries by itself. Nothing is kept at the provider: each request says all.

    Args:
        name: as the provider spells it.
        interface: "responses" or "chat"; by default "responses" at OpenAI itself and "chat" anywhere else.
        client: an `openai.AsyncOpenAI` of your own, or one of its kin; it is not closed here.
        api_key: by default the environment's OPENAI_API_KEY, which is never sent to a `base_url` given here.
        base_url: by default the environment's OPENAI_BASE_URL, then OpenAI itself.
        timeout: seconds without a byte from the provider.
        temperature: as the provider understands it.
        max_output_tokens: the longest reply, thoughts included, that the provider is asked for.
        reasoning_effort: "low", "medium", "high", or what else the model knows.
        structured_output: "native" holds the model to a schema, "instructions" tells it: for endpoints that cannot.
        extra: further fields of each request, as JSON values.
        price: by default what the price table says (extra `prices`). `Price()` is free.
        provider: who runs it; by default "openai", and with a base URL the name of its host.
        max_reply_bytes: the largest answer that is read into memory.

    Raises:
        ImportError: the extra is not installed.
        SecretFault: there is no key.
        ValueError, TypeError: an option is none of those it may be.
    """

    def __init__(
        self,
        name: str,
        *,
        interface: Interface | None = None,
        client: object = None,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = TIMEOUT,
        temperature: float | None = None,
        max_output_tokens: int = MAX_OUTPUT_TOKENS,
        reasoning_effort: str | None = None,
        structured_output: StructuredOutput = "native",
        extra: Mapping[str, object] | None = None,
        price: Price | None = None,
        provider: str = "",
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        check_extra("openai", "openai")
        check_options(
            name,
            api_key=api_key,
            base_url=base_url,
            timeout=timeout,
            temperature=temperature,
            reasoning_effort=reasoning_effort,
            extra=extra,
            price=price,
            provider=provider,
        )
        check_choice(name, "interface", interface, (None, "responses", "chat"))
        check_choice(name, "structured_output", structured_output, ("native", "instructions"))
        bounds = Bounds(max_output_tokens=max_output_tokens, max_reply_bytes=max_reply_bytes)
        where = access(name, os.environ, "OPENAI", api_key, base_url, timeout) if client is None else None
        place = Place.of(where.base_url if where else getattr(client, "base_url", None), HOME)
        interface = interface or ("chat" if place.host else "responses")
        provider = provider or place.host or "openai"
        shaping = {"temperature": temperature, "reasoning_effort": reasoning_effort}
        super().__init__(
            name,
            provider=provider,
            interface=interface,
            format=_format(
                interface, provider, name, structured_output, _fields(interface, place, shaping, bounds, extra)
            ),
            connection=Connection("choragus.agents.provider.openai_sdk", where, client),
            settings={
                **shaping,
                "interface": interface,
                "base_url": place.url or None,
                "max_output_tokens": max_output_tokens,
                "structured_output": structured_output,
                "extra": dict(extra) if extra else None,
            },
            tariffs=Tariffs("openai", name, place.url, price),
            bounds=bounds,
            secret=where.api_key if where else str(getattr(client, "api_key", "")),
        )


def check_choice(model: str, option: str, given: object, known: tuple[object, ...]) -> None:
    """Refuse an option that is none.

    Raises:
        ValueError: with those there are.
    """
    if given not in known:
        choices = " or ".join(repr(each) for each in known if each is not None)
        raise ValueError(f"{option}={given!r} of model {model!r} must be {choices}")


def _format(interface: str, provider: str, model: str, output: StructuredOutput, options: dict[str, object]) -> Format:
    native = output == "native"
    if interface == "chat":
        return ChatFormat(provider=provider, model=model, options=options, native_output=native)
    reasons = _REASONS.match(model) is not None or "reasoning" in options
    return ResponsesFormat(provider=provider, model=model, options=options, native_output=native, reasons=reasons)


def _fields(
    interface: str, place: Place, shaping: Mapping[str, object], bounds: Bounds, extra: Mapping[str, object] | None
) -> dict[str, object]:
    """What stands in every request."""
    fields = {name: value for name, value in shaping.items() if value is not None}
    if interface == "responses":
        fields["max_output_tokens"] = bounds.max_output_tokens
        if "reasoning_effort" in fields:
            fields["reasoning"] = {"effort": fields.pop("reasoning_effort")}
    else:
        # OpenAI's newer models refuse the one name, many compatible endpoints do not know the other.
        fields["max_tokens" if place.host else "max_completion_tokens"] = bounds.max_output_tokens
    return fields | dict(extra or {})
