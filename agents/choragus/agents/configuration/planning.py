"""What a configuration says of how an agent plans. What checks a step, and the types of answers, stand in code."""

from __future__ import annotations

from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import AskPerson, Fallback, Recovery, UseAgent, UseModel, UseTool

from .partial import Partial
from .spot import Spot
from .value import Reader, built, each, fields, flag, items, made, plain, text, texts

WAYS = ("model", "tool", "agent", "person")


def place(spot: Spot, value: object) -> int:
    """The place of a model among an agent's."""
    if type(value) is not int or value < 0:
        raise spot.fault(f"{value!r} is no place among the agent's models: 0 is its model, 1 its first fallback")
    return value


def way(spot: Spot, value: object) -> Fallback:
    """One way to try a step again."""
    readers: dict[str, Reader] = {
        "model": place,
        "tool": text,
        "agent": text,
        "person": flag,
        "approvers": texts,
        "options": texts,
    }
    found = fields(spot, value, readers)
    kinds = [name for name in WAYS if name in found]
    if len(kinds) != 1 or found.get("person") is False:
        raise spot.fault(f"{value!r} is not one way: write one of model = 1, tool = ..., agent = ..., person = true")
    if kinds != ["person"] and len(found) > 1:
        raise spot.fault(f"{value!r}: only person = true has approvers and options")
    match found:
        case {"model": int(model)}:
            return UseModel(model)
        case {"tool": str(tool)}:
            return UseTool(tool)
        case {"agent": str(agent)}:
            return UseAgent(agent)
        case _:
            return AskPerson(**{name: found[name] for name in ("approvers", "options") if name in found})  # type: ignore[arg-type]  # as texts read them


recovery = built(Recovery, fallback=items(way))

PLANNING: dict[str, Reader] = {
    "steps": plain,
    "revisions": plain,
    "proposes": flag,
    "recovery": recovery,
    "recoveries": each(recovery),
}
"""The keys of an agent's planning."""


def planning(spot: Spot, value: object) -> Partial[Planning]:
    """What a planning's table says."""
    found = fields(spot, value, PLANNING)
    made(Planning, spot, found)
    return Partial(Planning, found)
