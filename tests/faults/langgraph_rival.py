"""LangGraph at the plan: a node in a loop, a step each time, checkpointed to SQLite before the next (`sync`)."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,type-var,arg-type,call-overload"
from __future__ import annotations

from pathlib import Path
from typing import TypedDict

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

from .rival import World

THREAD = "plan"


class State(TypedDict):
    """How many steps are done, and what they gave."""

    count: int
    results: list[str]


async def plan(path: Path, world: World, steps: int) -> None:
    """Begin the thread, or go on with it where it stands."""

    async def step(state: State) -> State:
        number = state["count"] + 1
        result = world.change(number, key=f"{THREAD}:{number}")
        return {"count": number, "results": [*state["results"], result]}

    def more(state: State) -> str:
        return "step" if state["count"] < steps else END

    graph = StateGraph(State)
    graph.add_node("step", step)
    graph.add_conditional_edges(START, more, ["step", END])
    graph.add_conditional_edges("step", more, ["step", END])
    config = {"configurable": {"thread_id": THREAD}, "recursion_limit": steps + 10}
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        app = graph.compile(checkpointer=saver)
        before = await app.aget_state(config)
        # not by `next`: it leaves out a step whose result is stored and whose checkpoint is not
        if before.tasks or not before.values:
            given: State | None = None if before.tasks else {"count": 0, "results": []}
            await app.ainvoke(given, config, durability="sync")
        count = (await app.aget_state(config)).values["count"]
        assert count == steps, f"the plan has {steps} steps, and ended after {count}"
