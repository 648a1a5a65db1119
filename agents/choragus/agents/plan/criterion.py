"""Whether a step is done, by code. Pure, but for the functions that the user gives."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from choragus.agents.model import ChatMessage, ToolCall

from .planning import JSON_KINDS, RUNTIME_TOOLS, Planning, StepResult
from .step import Done

_KINDS: dict[str, object] = {
    "object": dict[str, object],
    "array": list[object],
    "string": str,
    "number": float | int,
    "integer": int,
    "boolean": bool,
}
assert tuple(_KINDS) == JSON_KINDS


def unmet(done: Done, outcome: str, results: Sequence[StepResult], planning: Planning, *, by_model: bool = True) -> str:
    """Why the step is not done, or nothing.

    Args:
        by_model: False when another agent or a person has done the step, whose calls are not this run's: then a call
            proves nothing, and what they say does.
    """
    if done.kind == "called" and by_model:
        return _not_called(done, results)
    if not outcome.strip():
        return "nothing was said of how it came out"
    if done.kind == "fits":
        return _misfit(done.name, outcome, planning)
    if done.kind == "check":
        return _objection(done.name, outcome, results, planning)
    return ""


def results_of(lines: Sequence[ChatMessage]) -> tuple[StepResult, ...]:
    """What tools gave back in a piece of a conversation; what the runtime itself was asked is none of it."""
    asked: dict[str, ToolCall] = {}
    found: list[StepResult] = []
    for line in lines:
        asked |= {call.id: call for call in line.calls}
        if line.role == "tool" and line.name not in RUNTIME_TOOLS:
            arguments = asked[line.call_id].arguments if line.call_id in asked else {}
            found.append(StepResult(tool=line.name, arguments=arguments, text=line.text, is_error=line.is_error))
    return tuple(found)


def _not_called(done: Done, results: Sequence[StepResult]) -> str:
    made = [one for one in results if one.tool == done.name]
    if not made:
        return f"{done.name} was not called"
    good = [one for one in made if not one.is_error]
    if not good:
        return f"{done.name} gave an error"
    wanted = done.arguments
    if any(all(name in one.arguments and one.arguments[name] == wanted[name] for name in wanted) for one in good):
        return ""
    return f"{done.name} was not called with {msgspec.json.encode(wanted).decode()}"


def _misfit(name: str, outcome: str, planning: Planning) -> str:
    wanted = planning.types.get(name, _KINDS.get(name))
    if wanted is None:
        return f"there is no type {name!r} any more that it could fit"
    try:
        msgspec.json.decode(outcome, type=wanted)
    except (msgspec.DecodeError, RecursionError) as error:
        return f"what was said is no JSON of {name!r}: {error}"
    return ""


def _objection(name: str, outcome: str, results: Sequence[StepResult], planning: Planning) -> str:
    check = planning.checks.get(name)
    if check is None:
        return f"there is no check {name!r} any more"
    try:
        says = check(outcome, results)
    except Exception as error:  # the user's code, and what it cannot judge is not done
        return f"check {name!r} failed with {type(error).__name__}: {error}"
    if says is True:
        return ""
    return says if isinstance(says, str) and says else f"check {name!r} says no"
