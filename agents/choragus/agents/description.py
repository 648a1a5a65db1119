"""Descriptions in a JSON Schema: the same for each version of Python, for the schema is part of an identity."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

_VALUES = frozenset({"default", "const", "enum", "examples"})
"""The keys under which values stand, and no schemas."""


def dedented(schema: Mapping[str, object]) -> dict[str, object]:
    """The schema with docstrings without their indentation, which Python keeps up to 3.12 and not behind it."""
    return {name: value if name in _VALUES else _dedented(name, value) for name, value in schema.items()}


def _dedented(name: str, value: object) -> object:
    if isinstance(value, str):
        return inspect.cleandoc(value) if name == "description" else value
    if isinstance(value, Mapping):
        if name in ("properties", "$defs"):  # the keys are names, of whatever sort
            return {each: dedented(one) if isinstance(one, Mapping) else one for each, one in value.items()}
        return dedented(value)
    return [dedented(one) if isinstance(one, Mapping) else one for one in value] if isinstance(value, list) else value
