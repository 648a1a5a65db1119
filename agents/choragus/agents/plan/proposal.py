"""The tools of the runtime by which a model plans. They are never run as tools: the orchestrator reads their calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated, Literal, cast

import msgspec
from msgspec import Meta, Struct

from choragus.agents.model import ToolSchema
from choragus.agents.tool import Tool, tool

from .step import MOST_GOAL, Done, PlanStep

MOST_BYTES = 10_000_000
"""Bytes of the arguments of a plan: a thousand steps of the longest goals, and more."""

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="letters, digits, '_', '.' and '-'")]
Reason = Annotated[str, Meta(min_length=1, max_length=2_000)]


Value = str | int | float | bool | list[str | int | float | bool] | None


class GivenDone(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """What proves a step done."""

    kind: Annotated[
        Literal["said", "called", "fits", "check"],
        Meta(description="said: you say how it came out; called: that tool returned; fits: what you say fits a type"),
    ] = "said"
    name: Annotated[str, Meta(max_length=64, description="the tool, the type, or the check")] = ""
    arguments: Annotated[
        dict[str, Value], Meta(description="with called: values that are among the arguments of the call")
    ] = {}


class GivenStep(Struct, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One step."""

    id: Id
    goal: Annotated[str, Meta(min_length=1, max_length=MOST_GOAL, description="what is to be done, in full")]
    after: Annotated[list[str], Meta(description="ids of the steps that have to be over before")] = []
    done: GivenDone = msgspec.field(default_factory=GivenDone)
    tools: Annotated[list[str] | None, Meta(description="the tools that it may use; left out: all")] = None
    optional: Annotated[bool, Meta(description="whether later steps go on without it")] = False


@cache
def plan_tools() -> Mapping[str, Tool]:
    """The tools by their names; made when the first agent plans, for others have no use for them."""
    made = (
        tool(risk="read", max_arguments=MOST_BYTES)(propose_plan),
        tool(risk="read", max_arguments=MOST_BYTES)(revise_plan),
        tool(risk="read")(fail_step),
    )
    return {one.name: one for one in made}


def propose_plan(steps: list[GivenStep]) -> str:
    """Propose the plan by which the goal is reached: steps in the order in which they are taken, one at a time."""
    raise AssertionError("a plan is read by the orchestrator, and never run")


def revise_plan(reason: Reason, steps: list[GivenStep] = [], drop: list[str] = []) -> str:  # noqa: B006  # copied
    """Change the plan: give steps that are new, or other than before, and the ids of those to drop. Only steps that
    have not begun can be changed."""
    raise AssertionError("a plan is read by the orchestrator, and never run")


def fail_step(reason: Reason) -> str:
    """Say that this step cannot be done, and why. Do not say so in any other way."""
    raise AssertionError("it is read by the orchestrator, and never run")


def plan_schemas(names: Iterable[str]) -> tuple[ToolSchema, ...]:
    """What the model is shown of the runtime's own tools."""
    return tuple(plan_tools()[name].schema for name in names)


def steps_of(arguments: Mapping[str, object]) -> tuple[PlanStep, ...]:
    """The steps in the parsed arguments of a proposal or revision."""
    given = cast("list[GivenStep]", arguments["steps"])
    return tuple(
        PlanStep(
            one.id,
            one.goal,
            after=one.after,
            done=Done(kind=one.done.kind, name=one.done.name, arguments=one.done.arguments),
            tools=one.tools,
            optional=one.optional,
        )
        for one in given
    )
