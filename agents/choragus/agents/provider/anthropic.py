"""Anthropic's models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Literal

from choragus.agents.model import Price

from .adapter import MAX_OUTPUT_TOKENS, MAX_REPLY_BYTES, TIMEOUT, Adapter, Bounds
from .connection import Connection, access, check_extra
from .messages import MessagesFormat
from .openai import StructuredOutput, check_choice
from .option import check_options
from .place import Place
from .tariff import Tariffs

HOME = "api.anthropic.com"

LEAST_THINKING = 1_024
"""Tokens, as the provider has it."""


class AnthropicModel(Adapter):
    """A model of Anthropic, by the messages interface. Needs the extra `anthropic`.

        Agent("clerk", model=AnthropicModel("claude-sonnet-4-5", thinking=4_096))

    It never retries by itself. Nothing is kept at the provider: each request says all, and what the model thought
    goes back to it with its signature.

    Args:
        name: as the provider spells it.
        client: an `anthropic.AsyncAnthropic` of your own, or one of its kin for other clouds; it is not closed here.
        api_key: by default the environment's ANTHROPIC_API_KEY, which is never sent to a `base_url` given here.
        base_url: by default the environment's ANTHROPIC_BASE_URL, then Anthropic itself.
        timeout: seconds without a byte from the provider.
        temperature: as the provider understands it; not with `thinking`.
        max_output_tokens: the longest reply, thoughts included.
        thinking: tokens that the model may think for, 1,024 or more and fewer than `max_output_tokens`, or "adaptive".
        reasoning_effort: "low", "medium", "high", or what else the model knows.
        structured_output: "native" holds the model to a schema where that can be, "instructions" tells it. A schema
            with open objects or limits on numbers and lengths is told in any case.
        extra: further fields of each request, as JSON values, such as `{"cache_control": {"type": "ephemeral"}}`.
        price: by default what the price table says (extra `prices`). `Price()` is free.
        provider: who runs it; by default "anthropic", and with a base URL the name of its host.
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
        client: object = None,
        api_key: str | None = None,
        base_url: str | None = None,
        timeout: float = TIMEOUT,
        temperature: float | None = None,
        max_output_tokens: int = MAX_OUTPUT_TOKENS,
        thinking: int | Literal["adaptive"] | None = None,
        reasoning_effort: str | None = None,
        structured_output: StructuredOutput = "native",
        extra: Mapping[str, object] | None = None,
        price: Price | None = None,
        provider: str = "",
        max_reply_bytes: int = MAX_REPLY_BYTES,
    ) -> None:
        check_extra("anthropic", "anthropic")
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
        check_choice(name, "structured_output", structured_output, ("native", "instructions"))
        bounds = Bounds(max_output_tokens=max_output_tokens, max_reply_bytes=max_reply_bytes)
        _check_thinking(name, thinking, temperature, max_output_tokens)
        where = access(name, os.environ, "ANTHROPIC", api_key, base_url, timeout) if client is None else None
        place = Place.of(where.base_url if where else getattr(client, "base_url", None), HOME)
        provider = provider or place.host or "anthropic"
        super().__init__(
            name,
            provider=provider,
            interface="messages",
            format=MessagesFormat(
                provider=provider,
                model=name,
                max_output_tokens=max_output_tokens,
                options=_fields(temperature, thinking, reasoning_effort, extra),
                native_output=structured_output == "native",
            ),
            connection=Connection("choragus.agents.provider.anthropic_sdk", where, client),
            settings={
                "temperature": temperature,
                "thinking": thinking,
                "reasoning_effort": reasoning_effort,
                "base_url": place.url or None,
                "max_output_tokens": max_output_tokens,
                "structured_output": structured_output,
                "extra": dict(extra) if extra else None,
            },
            tariffs=Tariffs("anthropic", name, place.url, price),
            bounds=bounds,
            secret=where.api_key if where else str(getattr(client, "api_key", None) or ""),
        )


def _fields(
    temperature: float | None, thinking: int | str | None, effort: str | None, extra: Mapping[str, object] | None
) -> dict[str, object]:
    """What stands in every request."""
    fields: dict[str, object] = {} if temperature is None else {"temperature": temperature}
    if isinstance(thinking, int):
        fields["thinking"] = {"type": "enabled", "budget_tokens": thinking}
    elif thinking is not None:
        fields["thinking"] = {"type": thinking}
    if effort is not None:
        fields["output_config"] = {"effort": effort}
    return fields | dict(extra or {})


def _check_thinking(model: str, thinking: object, temperature: float | None, most: int) -> None:
    if thinking is None:
        return
    if temperature is not None:
        raise ValueError(
            f"model {model!r} thinks, and then takes no temperature={temperature!r}: leave one of them out"
        )
    is_amount = isinstance(thinking, int) and not isinstance(thinking, bool) and LEAST_THINKING <= thinking < most
    if thinking != "adaptive" and not is_amount:
        raise ValueError(
            f"thinking={thinking!r} of model {model!r} must be 'adaptive' or a number of tokens from {LEAST_THINKING} "
            f"up to below max_output_tokens={most}"
        )
