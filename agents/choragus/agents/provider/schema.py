"""Which JSON Schemas a provider can hold its model to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_OPEN = frozenset({"allOf", "oneOf", "not", "if", "patternProperties", "dependentSchemas", "prefixItems", "contains"})
NUMBERS_AND_LENGTHS = frozenset(
    {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems"}
)


def is_strict(schema: object, *, optional: bool = False, without: frozenset[str] = frozenset()) -> bool:
    """Whether every object in the schema is closed and names what it requires, so that decoding can be held to it.

    Args:
        optional: whether properties may be left out.
        without: further keywords that the provider does not take.

    >>> is_strict({"type": "object", "properties": {"a": {"type": "string"}}})
    False
    """
    if not isinstance(schema, Mapping) or not schema:
        return False
    if not (_OPEN | without).isdisjoint(schema) or not _is_closed(schema, optional):
        return False
    inner = [*_values(schema.get("properties")), *_values(schema.get("$defs")), *_listed(schema.get("anyOf"))]
    if "items" in schema:
        inner.append(schema["items"])
    return all(is_strict(each, optional=optional, without=without) for each in inner)


def _is_closed(schema: Mapping[str, object], optional: bool) -> bool:
    if schema.get("type") != "object" and "properties" not in schema:
        return True
    named, required = schema.get("properties", {}), schema.get("required", [])
    if schema.get("additionalProperties") is not False or not isinstance(named, Mapping):
        return False
    return optional or set(named) == set(_listed(required))


def _values(value: object) -> list[object]:
    return list(value.values()) if isinstance(value, Mapping) else []


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
