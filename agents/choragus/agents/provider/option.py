"""The options that the models of all providers share, held against what they may be before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from choragus.agents.model import Price

LONGEST_NAME = 256
"""Characters of the name of a model or a provider."""


def check_options(
    name: object,
    *,
    api_key: object,
    base_url: object,
    timeout: object,
    temperature: object,
    reasoning_effort: object,
    extra: object,
    price: object,
    provider: object,
) -> None:
    """Refuse what is none of those that an option may be. No value of a key is told.

    Raises:
        ValueError: with the option, what was given, and what to give.
    """
    if not _is_name(name):
        raise ValueError(f"model name {name!r:.80} is none: give 1 to {LONGEST_NAME} printable characters")
    if api_key is not None and not isinstance(api_key, str):
        raise ValueError(f"the API key of model {name!r} is a {type(api_key).__name__}: give text")
    if base_url is not None and not isinstance(base_url, str):
        raise _fault("base_url", base_url, name, "a text that begins with http:// or https://")
    if not _is_number(timeout) or not 0 < float(str(timeout)) < math.inf:
        raise _fault("timeout", timeout, name, "seconds, above 0 and finite")
    if temperature is not None and not (_is_number(temperature) and math.isfinite(float(str(temperature)))):
        raise _fault("temperature", temperature, name, "a finite number, or None")
    if reasoning_effort is not None and not _is_name(reasoning_effort):
        raise _fault("reasoning_effort", reasoning_effort, name, "'low', 'medium', 'high', or None")
    if extra is not None and not (isinstance(extra, Mapping) and all(isinstance(key, str) for key in extra)):
        raise _fault("extra", extra, name, "a mapping of names to JSON values, or None")
    if price is not None and not isinstance(price, Price):
        raise _fault("price", price, name, "Price(...), which is free without numbers, or None")
    if provider != "" and not _is_name(provider):
        raise _fault("provider", provider, name, f"at most {LONGEST_NAME} printable characters")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME and value.isprintable()


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _fault(option: str, given: object, model: object, remedy: str) -> ValueError:
    return ValueError(f"{option}={given!r:.80} of model {model!r} is none: give {remedy}")
