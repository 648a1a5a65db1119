"""Plans whose steps use, and fall back on, the tools of servers."""

from __future__ import annotations

import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from tests.agents.mcp.calculator import calculator
from tests.agents.plan_play import follows, gives_up
from tests.agents.play import call, data
from tests.agents.play import calls as asks

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.mcp.declaration import McpServer
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import Recovery, UseTool
from choragus.agents.plan.step import Done, Plan, PlanStep
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool

ADD = asks(call("calc__add", a=1, b=2))


@tool(risk="read")
def guess(at: str) -> str:
    """Guess."""
    return "about 3"


def clerk(script: dict[str, tuple[object, ...]], recovery: Recovery | None = None) -> Agent:
    """An agent that plans, with a server that adds."""
    return Agent(
        "clerk",
        model=FunctionModel(follows(script)),
        tools=[guess],
        servers=[McpServer("calc", server=calculator(more=True), risks={"*": "read"}, allow=["add"])],
        planning=Planning(recovery=recovery or Recovery(retries=0)),
    )


async def test_a_step_may_name_tools_of_a_server() -> None:
    agent = clerk({"a": (ADD, "3")})
    step = PlanStep("a", "Add.", tools=["calc__add"], done=Done.called("calc__add", a=1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", plan=Plan([step]))

        assert await run.result(5) == "all done"


async def test_a_plan_with_a_tool_that_no_server_has_cannot_stand() -> None:
    agent = clerk({})
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(
            AgentFault, match=r"step 'a' wants the tool 'calc__divide'; the tools are: guess, calc__add"
        ):
            await runtime.start(agent, "Go.", plan=Plan([PlanStep("a", "Divide.", tools=["calc__divide"])]))


async def test_a_step_may_fall_back_on_a_tool_of_a_server() -> None:
    agent = clerk({"a": (gives_up("I cannot"), ADD, "3")}, Recovery(retries=0, fallback=[UseTool("calc__add")]))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", plan=Plan([PlanStep("a", "Add.", done=Done.called("guess"))]))

        assert await run.result(5) == "all done"
        (other,) = await data(run, "step.fallback")
        assert other["by"] == "tool calc__add"


@pytest.mark.parametrize("name", ["calc__divide", "calc__multiply"], ids=["not offered", "not allowed"])
async def test_a_fallback_on_what_the_server_does_not_give_is_refused_at_the_opening(name: str) -> None:
    agent = clerk({}, Recovery(fallback=[UseTool(name)]))

    with pytest.raises(AgentFault, match=f"^UseTool.*{name}.* names no tool of server 'calc': it offers calc__add"):
        async with Runtime(agents=[agent]):
            pass


def test_a_fallback_on_a_server_that_the_agent_does_not_have_is_refused_at_once() -> None:
    with pytest.raises(AgentFault, match=r"^UseTool.*other__add.* names no tool of it: the tools are guess"):
        clerk({}, Recovery(fallback=[UseTool("other__add")]))
