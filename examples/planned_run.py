"""A report that is made by a plan: the model proposes the steps, code checks what each has come to, and goes on.

The first plan cannot stand, and goes back with the reason. Then the exchange is closed: the step that needs its rate is
tried again, another agent looks the rate up, and what it says counts. The sum is wrong at first, which a function finds
out, not the model. The cover picture fails for good: the run goes on without it, and says so at its end.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

import anyio

from choragus.agents import (
    Agent,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Planning,
    Recovery,
    Runtime,
    StepResult,
    ToolCall,
    ToolError,
    UseAgent,
    tool,
)

SALES = {"Bergen": 120, "Oslo": 300}


@tool(risk="read")
def sales(city: str) -> int:
    """What was sold in a city, in kroner."""
    return SALES[city]


@tool(risk="read")
def rate(currency: str) -> float:
    """The rate of a currency at the exchange."""
    raise ToolError("the exchange is closed")


def total(outcome: str, results: Sequence[StepResult]) -> bool | str:
    """The sum is that of what the tool gave back in this step, whatever the model says."""
    right = sum(int(one.text) for one in results if one.tool == "sales")
    return outcome == str(right) or f"{outcome} is not the sum of {len(results)} results"


PLANNING = Planning(
    checks={"total": total},
    recoveries={
        "rate": Recovery(retries=1, fallback=[UseAgent("archivist")]),
        "cover": Recovery(retries=0, then="degrade"),
    },
)


def call(name: str, **arguments: object) -> ModelReply:
    return ModelReply(calls=(ToolCall("", name, arguments),))


def plan(after: str) -> ModelReply:
    """The model's plan, whose second step comes after that one."""
    steps: list[dict[str, object]] = [
        {"id": "sum", "goal": "Add up the sales.", "done": {"kind": "check", "name": "total"}, "tools": ["sales"]},
        {
            "id": "rate",
            "goal": "Find the rate of the euro.",
            "after": [after],
            "done": {"kind": "called", "name": "rate"},
        },
        {"id": "cover", "goal": "Draw a cover.", "tools": []},
        {"id": "text", "goal": "Write the report.", "after": ["rate", "cover"]},
    ]
    return call("propose_plan", steps=steps)


def writer(request: ModelRequest) -> ModelReply | str:
    """Plays a model that goes by what it was told last."""
    last = request.messages[-1].text
    if request.tools and request.tools[0].name == "propose_plan":
        return plan(after="sum" if "cannot stand" in last else "the sum")
    step = re.search(r"Step \d of 4, (\w+)|Step (\w+) is not done", last)
    match (step.group(1) or step.group(2)) if step else "":
        case "sum":
            return ModelReply(calls=tuple(ToolCall(city, "sales", {"city": city}) for city in SALES))
        case "rate":
            return call("rate", currency="EUR")
        case "cover":
            return call("fail_step", reason="I cannot draw")
        case "text":
            return "420 kroner, which is 36 euros"
    if last.isdigit():
        return "420" if sum(one.text.startswith("Step sum is not done") for one in request.messages) else "402"
    return "We sold for 420 kroner, or 36 euros." if "carried out" in last else "I have no rate"


async def main() -> None:
    """Make the report, and print how it went."""
    archivist = Agent("archivist", model=FunctionModel(lambda request: "11.6, as of yesterday"))
    agent = Agent("writer", model=FunctionModel(writer), tools=[sales, rate], planning=PLANNING)
    async with Runtime(agents=[agent, archivist]) as runtime:
        run = await runtime.start(agent, "Report what we sold.")
        async for event in run.events():
            if event.kind.startswith(("plan.", "step.")):
                shown = ("step", "steps", "faults", "by", "reason", "outcome")
                told = [str(event.data[name]) for name in shown if event.data.get(name)]
                print(f"{event.kind:<15} {': '.join(told)}")
        status = await run.status()
        print(f"{status.status.value}{', degraded' if status.degraded else ''}: {status.outcome}")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
