"""Arguments and results held against a schema that somebody else wrote, in a time that its author cannot stretch.

The schema is data of an untrusted server: it may refer to itself without end, to the network, or carry an expression
that takes years to match. References lead nowhere but into the schema itself and are counted; expressions run in time
proportional to the text, and one that cannot be run so is left to the server.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import jsonschema  # type: ignore[import-untyped]  # it has no types
from jsonschema.validators import extend  # type: ignore[import-untyped]  # as above
from referencing import Registry
from referencing.exceptions import Unresolvable

from choragus.agents.policy.pattern import Pattern

MOST_REFERENCES = 10_000
"""References that are followed in checking one value."""

ANYTHING = "(.|\n)*"
LONGEST_DETAIL = 500
"""Characters of what is said about a value that does not fit."""


class TooManyReferences(Exception):
    """Raised when a schema leads on and on."""


class Schema:
    """A JSON Schema that values are held against.

    Raises:
        ValueError: when it is none, or refers to what is not in it.
    """

    def __init__(self, document: Mapping[str, object]) -> None:
        _check_references(document)
        if not isinstance(document.get("$schema", ""), str):
            raise ValueError(f"it is no JSON Schema: its $schema is {document['$schema']!r:.100}")
        self._followed = 0
        base = jsonschema.validators.validator_for(document, default=jsonschema.Draft202012Validator)
        try:
            base.check_schema(document)
        except Exception as error:  # a stranger's schema: whatever it brings the checks to
            raise ValueError(f"it is no JSON Schema: {getattr(error, 'message', error)}"[:LONGEST_DETAIL]) from None
        own: dict[str, Callable[..., Iterator[object]]] = {
            "$ref": self._counted(base.VALIDATORS.get("$ref")),
            "$dynamicRef": self._counted(base.VALIDATORS.get("$dynamicRef")),
            "pattern": _pattern,
            "patternProperties": _pattern_properties,
            "additionalProperties": _additional_properties,
        }
        known = {name: check for name, check in own.items() if name in base.VALIDATORS}
        self._validator = extend(base, known)(dict(document), registry=Registry())

    def fault(self, value: object) -> str:
        """What is wrong with a value of plain JSON types, or nothing: "'5' is not of type 'integer' - at `$.days`"."""
        self._followed = 0
        try:
            error = jsonschema.exceptions.best_match(self._validator.iter_errors(value))
        except Unresolvable as missing:
            return f"its schema refers to {missing.ref!r}, which is not in it"[:LONGEST_DETAIL]
        except (TooManyReferences, RecursionError):
            return "its schema refers to itself too often to be checked"
        except Exception as failed:  # a stranger's schema: it may fail a call, and nothing else
            return f"its schema cannot be used: {type(failed).__name__}: {failed}"[:LONGEST_DETAIL]
        if error is None:
            return ""
        return f"{error.message[:LONGEST_DETAIL]} - at `{error.json_path}`"

    def _counted(self, follow: Callable[..., Iterator[object] | None] | None) -> Callable[..., Iterator[object]]:
        def counted(validator: object, reference: object, value: object, schema: object) -> Iterator[object]:
            self._followed += 1
            if self._followed > MOST_REFERENCES:
                raise TooManyReferences
            assert follow is not None
            yield from follow(validator, reference, value, schema) or ()

        return counted


def _check_references(node: object) -> None:
    """Refuse a schema that leads out of itself."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            for key, value in one.items():
                leads = key in ("$ref", "$dynamicRef", "$recursiveRef") and isinstance(value, str)
                if leads and not value.startswith("#"):
                    raise ValueError(f"it refers to {value[:100]!r}, and nothing outside of it is looked up")
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _search(expression: object) -> Callable[[str], bool] | None:
    """Whether a text has a part that matches; None when that cannot be told in bounded time."""
    if not isinstance(expression, str) or _has_ways_outside_of_groups(expression):
        return None
    inner = expression.removeprefix("^")
    ends = inner.endswith("$") and not inner.endswith("\\$")
    inner = inner[:-1] if ends else inner
    before = "" if expression.startswith("^") else ANYTHING
    behind = "" if ends else ANYTHING
    try:
        return Pattern(f"{before}({inner}){behind}").matches
    except (ValueError, RecursionError):
        return None


def _has_ways_outside_of_groups(expression: str) -> bool:
    """Whether it is several expressions, of which `^` and `$` are about the first and the last only."""
    depth = 0
    for before, sign in zip(" " + expression, expression, strict=False):
        if before == "\\":
            continue
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "|" and depth == 0:
            return True
    return False


def _pattern(validator: object, expression: object, value: object, schema: object) -> Iterator[object]:
    search = _search(expression) if isinstance(value, str) else None
    if search is not None and not search(str(value)):
        yield jsonschema.ValidationError(f"{value!r:.200} does not match {expression!r:.200}")


def _pattern_properties(validator: object, patterns: object, value: object, schema: object) -> Iterator[object]:
    if not isinstance(value, dict) or not isinstance(patterns, dict):
        return
    for expression, below in patterns.items():
        search = _search(expression)
        for name, one in value.items():
            if search is not None and search(name):
                yield from validator.descend(one, below, path=name, schema_path=expression)  # type: ignore[attr-defined]  # a Validator


def _additional_properties(validator: object, below: object, value: object, schema: object) -> Iterator[object]:
    if not isinstance(value, dict) or not isinstance(schema, dict):
        return
    searches = [_search(expression) for expression in schema.get("patternProperties", {})]
    known = schema.get("properties", {})
    more = [
        name for name in value if name not in known and not any(search is None or search(name) for search in searches)
    ]
    if below is False and more:
        yield jsonschema.ValidationError(f"it takes no {more[0]!r:.200}")
    elif isinstance(below, dict):
        for name in more:
            yield from validator.descend(value[name], below, path=name)  # type: ignore[attr-defined]  # a Validator
