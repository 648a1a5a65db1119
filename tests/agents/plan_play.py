"""What the tests of planned runs are played with: a model that plans and goes by its steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from choragus.agents.agent import Agent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall
from choragus.agents.plan.planning import Planning
from choragus.agents.run import Run
from choragus.agents.scripted import Answer, Function, FunctionModel
from choragus.agents.tool import Tool

from .play import Ledger, calls, tools

_STEP = re.compile(r"Step (?:\d+ of \d+, )?([A-Za-z0-9_.-]+)(?:: | is not done: )")

Given = dict[str, object]


def given(id: str, *after: str, **more: object) -> Given:
    """A step as a model writes it."""
    return {"id": id, "goal": f"Do {id}.", "after": list(after), **more}


def by_call(tool: str, **arguments: object) -> Given:
    """What proves a step done that calls a tool."""
    return {"kind": "called", "name": tool, "arguments": arguments}


def proposes(*steps: Given) -> ModelReply:
    """A reply that proposes a plan."""
    return calls(ToolCall("plan", "propose_plan", {"steps": list(steps)}))


def revises(reason: str, *steps: Given, drop: Sequence[str] = ()) -> ModelReply:
    """A reply that revises the plan."""
    return calls(ToolCall("", "revise_plan", {"reason": reason, "steps": list(steps), "drop": list(drop)}))


def gives_up(reason: str) -> ModelReply:
    """A reply that gives the step up."""
    return calls(ToolCall("", "fail_step", {"reason": reason}))


def step_of(request: ModelRequest) -> tuple[str, int]:
    """The step in hand, and how often the model has answered in it; "" before and behind the plan."""
    step, said = "", {"": 0}
    for message in request.messages:
        if message.role == "user":
            found = _STEP.match(message.text)
            step = found.group(1) if found else "" if message.text.startswith("The plan is carried out") else step
        elif message.role == "assistant":
            said[step] = said.get(step, 0) + 1
    return step, said.get(step, 0)


def follows(script: Mapping[str, Sequence[object]], *plans: Answer, answer: str = "all done") -> Function:
    """A model that says the lines of each step in order; `plans` are its lines before there is a plan."""

    def says(request: ModelRequest) -> Answer:
        if [one.name for one in request.tools] == ["propose_plan"]:
            return plans[sum(message.role == "assistant" for message in request.messages)]
        step, said = step_of(request)
        if not step:
            return answer
        lines = script.get(step, (f"{step} is done",))
        line = lines[min(said, len(lines) - 1)]
        assert isinstance(line, ModelReply | str)
        return line

    return says


def planner(
    script: Mapping[str, Sequence[object]],
    *plans: Answer,
    planning: Planning | None = None,
    ledger: Ledger | None = None,
    more: Sequence[Tool] = (),
    limits: Limits | None = None,
    **options: object,
) -> Agent:
    """An agent with `look`, `book`, `reserve` and `pay` that plans."""
    return Agent(
        "clerk",
        model=FunctionModel(follows(script, *plans)),
        tools=(*tools(ledger or Ledger()), *more),
        planning=planning or Planning(),
        limits=limits or Limits(),
        **options,  # type: ignore[arg-type]  # as Agent checks them
    )


async def states(run: Run) -> dict[str, str]:
    """Each step of the run's plan with its state."""
    plan = await run.plan()
    return {} if plan is None else {one.step.id: one.state.value for one in plan.steps}
