"""The stand-in for a planner: the plan of a task, made of its ground truth as a model could have made it in advance.

It knows the prompt, the tools' schemas, and which calls solve the task. A value that stands in the prompt becomes
a constant; one that stands in an earlier result becomes a reference to the place, by a rule and never by the index;
what a model could only write after it has read something is left open (`$written`). These and what else a
planner would understand of the prompt, but no rule can see, is listed in `UNDERSTOOD`, by hand. A task that says "do
what the mail says" has no more of a plan than the reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import attrs
from benchmarks.dojo.labels import TRAITS
from benchmarks.dojo.understood import OPEN, UNDERSTOOD

from choragus.agents.flow.kind import found, occurs, same
from choragus.agents.flow.path import covers, parse

Json = object
WRITTEN = {"$written": True}
_LARGEST = re.compile(r"\b(largest|biggest|highest)\b")


@attrs.frozen
class Done:
    """A call of the ground truth, and what it gives when nobody attacks."""

    tool: str
    arguments: Mapping[str, Json]
    result: Json


@attrs.frozen
class Leaf:
    """A value in an earlier result."""

    of: str
    tool: str
    path: tuple[str, ...]
    value: Json
    result: Json

    @property
    def is_trusted(self) -> bool:
        """Whether the tool's labels trust the place."""
        return any(covers(parse(path), self.path) for path in TRAITS[self.tool].labels.trusted)

    @property
    def rule(self) -> tuple[str, ...]:
        """The path, with every index replaced by all."""
        return tuple("[*]" if step.startswith("[") else step for step in self.path)


def plan(suite: str, task: str, prompt: str, done: Sequence[Done]) -> dict[str, Json]:
    """The arguments of `commit_plan`."""
    planned: list[dict[str, Json]] = []
    names: list[str] = []
    leaves: list[Leaf] = []
    cut = OPEN.get((suite, task), len(done))
    for number, call in enumerate(done[:cut]):
        understood = UNDERSTOOD.get((suite, task, number), {})
        arguments = {
            name: understood[name] if name in understood else _argument(value, prompt, leaves)
            for name, value in call.arguments.items()
        }
        names.append(_add(planned, call.tool, arguments, f"c{number}"))
        leaves += _leaves(names[-1], call.tool, call.result)
    return {"calls": planned, "open": cut < len(done)}


def _add(planned: list[dict[str, Json]], tool: str, arguments: dict[str, Json], name: str) -> str:
    """Add the call; one that is as an earlier one but for what the references stand for repeats that."""
    for call in planned:
        if call["tool"] == tool and call["arguments"] == arguments and "$from" in repr(arguments):
            call["each"] = True
            return str(call["name"])
    planned.append({"name": name, "tool": tool, "arguments": arguments})
    return name


def _argument(value: Json, prompt: str, leaves: Sequence[Leaf]) -> Json:
    if isinstance(value, Mapping):
        return {key: _argument(each, prompt, leaves) for key, each in value.items()}
    if isinstance(value, list):
        whole = _reference(value, prompt, leaves)
        parts = [_argument(each, prompt, leaves) for each in value]
        if whole is not None or not parts:
            return whole or parts
        return parts[0] if len(parts) > 1 and parts[0] == parts[-1] and isinstance(parts[0], dict) else parts
    if value is None or isinstance(value, bool) or occurs(_text(value), prompt):
        return value
    return _reference(value, prompt, leaves) or value


def _reference(value: Json, prompt: str, leaves: Sequence[Leaf]) -> dict[str, Json] | None:
    """Where the value stands: whole at a trusted place, else whole anywhere, else inside of a text."""
    whole = sorted((leaf for leaf in leaves if same(leaf.value, value)), key=lambda leaf: not leaf.is_trusted)
    if whole:
        return _pointing(whole[0], prompt, leaves)
    if not isinstance(value, str):
        return None
    texts = [leaf for leaf in leaves if isinstance(leaf.value, str)]
    for kind in ("email", "url", "number"):
        for leaf in texts:
            if any(same(each, value) for each in found(kind, str(leaf.value))):
                return {**_pointing(leaf, prompt, leaves), "kind": kind}
    for leaf in texts:
        if len(value) > 3 and occurs(value, str(leaf.value)):
            return {**_pointing(leaf, prompt, leaves), "kind": "text"}
    return None


def _pointing(leaf: Leaf, prompt: str, leaves: Sequence[Leaf]) -> dict[str, Json]:
    """A reference to the place, with what in the prompt tells its element from the others."""
    pointing: dict[str, Json] = {"$from": leaf.of, "path": "$" + "".join(leaf.rule)}
    if "[*]" not in leaf.rule:
        return pointing
    last = max(n for n, step in enumerate(leaf.rule, 1) if step == "[*]")
    element = _at(leaf.result, leaf.path[:last])
    if not isinstance(element, Mapping):
        return pointing
    trusted = {
        key: each
        for key, each in element.items()
        if Leaf(leaf.of, leaf.tool, (*leaf.rule[:last], f".{key}"), each, None).is_trusted
    }
    named = {key: each for key, each in trusted.items() if isinstance(each, str) and occurs(each, prompt)}
    if named:
        return {**pointing, "where": named}
    others = [each.value for each in leaves if each.of == leaf.of and each.rule == (*leaf.rule[:last], ".size")]
    if _LARGEST.search(prompt) and others and trusted.get("size") == max(map(_number, others)):
        return {**pointing, "most": "size"}
    return pointing


def _leaves(of: str, tool: str, result: Json) -> list[Leaf]:
    return [Leaf(of, tool, path, value, result) for path, value in _walk(result, ())]


def _walk(value: Json, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    yield path, value
    if isinstance(value, list):
        for number, each in enumerate(value):
            yield from _walk(each, (*path, f"[{number}]"))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            if "@" not in key and " " not in key:
                yield from _walk(each, (*path, f".{key}"))
            else:  # the keys are data
                yield (*path, ".~"), key
                yield from _walk(each, (*path, ".*"))


def _at(value: Json, path: Sequence[str]) -> Json:
    for step in path:
        if isinstance(value, list):
            value = value[int(step[1:-1])]
        elif isinstance(value, Mapping):
            value = value[step[1:]]
    return value


def _number(value: Json) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _text(value: Json) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
