"""A process that carries out a long plan, to be killed: `python -m tests.agents.plan_child FILE JOURNAL STEPS`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio

from choragus.agents.agent import Agent
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest, ToolCall
from choragus.agents.plan.planning import Planning
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.tool import Tool, ToolContext, tool

from .plan_play import by_call, given, proposes, step_of
from .play import calls


def marker(journal: Path) -> Tool:
    """A tool that writes its key into a journal, as often as it is called, each with its step."""

    @tool(risk="reversible", idempotent=True)
    def mark(step: str, *, context: ToolContext) -> str:
        """Mark a step."""
        known = journal.read_text().splitlines() if journal.exists() else []
        line = f"{step} {context.idempotency_key}"
        if line not in known:
            with journal.open("a") as file:
                file.write(line + "\n")
                file.flush()
                os.fsync(file.fileno())
        return f"marked {step}"

    return mark


def walker(journal: Path, steps: int) -> Agent:
    """An agent with a plan of so many steps, each of which is done by marking it; every fifth is revised into two."""
    names = [f"s{number:03d}" for number in range(steps)]
    plan = [
        given(name, *([names[number - 1]] if number else []), done=by_call("mark", step=name), tools=["mark"])
        for number, name in enumerate(names)
    ]

    def model(request: ModelRequest) -> Answer:
        if [one.name for one in request.tools] == ["propose_plan"]:
            return proposes(*plan)
        step, said = step_of(request)
        if not step:
            return "all is marked"
        return f"{step} is marked" if said else calls(ToolCall("", "mark", {"step": step}))

    limits = Limits(steps=3 * steps + 10, tokens=10**10, tool_calls=None)
    return Agent(
        "walker",
        model=FunctionModel(model, max_output_tokens=100_000),
        tools=[marker(journal)],
        planning=Planning(),
        limits=limits,
    )


async def main(*named: str) -> None:
    """Carry it out, or go on with it."""
    file, journal, steps = named
    agent = walker(Path(journal), int(steps))
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Mark every step.", key="walk")
        print(await run.result(), flush=True)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
