"""Whether a run can be given a plan."""

from __future__ import annotations

from collections.abc import Collection

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault

from .checking import faults_of_plan
from .step import Plan


def check_plan(agent: Agent[object], plan: object, granted: Collection[str] | None) -> None:
    """Refuse a plan that the agent's run cannot follow, and none where it needs one.

    Raises:
        AgentFault: with all that is wrong.
    """
    planning = agent.planning
    if plan is None:
        if planning is not None and not planning.proposes:
            raise AgentFault(
                f"the model of agent {agent.name!r} proposes no plan: start its runs with plan=Plan([...])"
            )
        return
    if not isinstance(plan, Plan):
        raise AgentFault(f"plan={plan!r} is no plan: give Plan([PlanStep(...), ...])")
    if planning is None:
        raise AgentFault(f"agent {agent.name!r} follows no plans: give Agent(planning=Planning())")
    tools = [tool.name for tool in agent.tools if granted is None or tool.name in granted]
    faults = faults_of_plan(plan.steps, planning, tools)
    if faults:
        raise AgentFault(f"the plan of agent {agent.name!r} cannot stand: {'; '.join(faults)}")
