"""Places in a JSON value: `$` all of it, `.name`, `[0]`, `[*]` each element, `.*` each value and `.~` each key."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_STEP = re.compile(r"\.(\*|~|[^.\[\]]+)|\[(\*|\d+)\]")


def parse(path: str) -> tuple[str, ...]:
    """The steps of a path.

    >>> parse("$[*].shared_with.~")
    ('[*]', '.shared_with', '.~')

    Raises:
        ValueError: it does not begin with `$`, or a step is badly formed.
    """
    if not path.startswith("$"):
        raise ValueError(f"path {path!r} does not begin with '$': write '$' for all, '$[*].id' for each element's id")
    steps, at = [], 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            raise ValueError(f"path {path!r} cannot be read from {path[at:]!r} on: write .name, [0], [*], .* or .~")
        steps.append(found.group())
        at = found.end()
    return tuple(steps)


def covers(pattern: tuple[str, ...], path: tuple[str, ...]) -> bool:
    """Whether what stands at `path` is part of what stands at `pattern`.

    >>> covers(parse("$[*].id"), parse("$[3].id")), covers(parse("$[*].id"), parse("$[3].body"))
    (True, False)
    """
    return len(pattern) <= len(path) and all(map(_fits, pattern, path))


def select(value: object, path: tuple[str, ...]) -> Iterator[object]:
    """What stands at a path, in order; nothing where it leads nowhere."""
    if not path:
        yield value
        return
    step, rest = path[0], path[1:]
    for inner in _inner(value, step):
        yield from select(inner, rest)


def _fits(pattern: str, step: str) -> bool:
    return pattern == step or (pattern == "[*]" and step.startswith("[")) or (pattern == ".*" and step[1:] != "~")


def _inner(value: object, step: str) -> Iterator[object]:
    if isinstance(value, list) and step.startswith("["):
        if step == "[*]":
            yield from value
        elif int(step[1:-1]) < len(value):
            yield value[int(step[1:-1])]
    elif isinstance(value, Mapping) and step.startswith("."):
        if step == ".*":
            yield from value.values()
        elif step == ".~":
            yield from value
        elif step[1:] in value:
            yield value[step[1:]]
