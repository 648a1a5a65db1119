"""LangGraph at the plans: a node in a loop, which adds a message; checkpointed to SQLite before the next (`sync`)."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,type-var,arg-type,call-overload"
from __future__ import annotations

import asyncio
from pathlib import Path
from time import perf_counter
from typing import Annotated, TypedDict

from benchmarks.durable_peer import DurablePeer
from benchmarks.durable_plan import TEXT, size
from benchmarks.raw_commit import fresh
from benchmarks.target import at_least
from langchain_core.messages import AIMessage, AnyMessage
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages

NAME = "langgraph"


class State(TypedDict):
    """The messages as its tutorials keep them."""

    count: int
    messages: Annotated[list[AnyMessage], add_messages]


async def _step(state: State) -> State:
    number = state["count"] + 1
    return {"count": number, "messages": [AIMessage(TEXT, id=str(number))]}


async def _run(path: Path, plans: int, steps: int) -> float:
    """Seconds for all."""
    async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
        await saver.setup()
        graph = StateGraph(State)
        graph.add_node("step", _step)
        graph.add_edge(START, "step")
        graph.add_conditional_edges("step", lambda state: END if state["count"] >= steps else "step", ["step", END])
        app = graph.compile(checkpointer=saver)
        begin = perf_counter()
        ended = await asyncio.gather(
            *(
                app.ainvoke(
                    {"count": 0, "messages": []},
                    {"configurable": {"thread_id": str(number)}, "recursion_limit": steps + 10},
                    durability="sync",
                )
                for number in range(plans)
            )
        )
        took = perf_counter() - begin
    assert [one["count"] for one in ended] == [steps] * plans
    return took


def steps(folder: Path, plans: int, amount: int) -> float:
    return asyncio.run(_run(fresh(folder, NAME), plans, amount)) / (plans * amount)


def grown(folder: Path, amount: int) -> float:
    path = fresh(folder, NAME)
    asyncio.run(_run(path, 0, 1))
    empty = size(path)
    asyncio.run(_run(path, 1, amount))
    return size(path) - empty


PEER = DurablePeer(
    name=NAME,
    steps=steps,
    target=at_least(50.0),
    grown=grown,
    notes=(
        "langgraph: AsyncSqliteSaver, durability sync, a node in a loop that adds a 200-character message to "
        "add_messages; WAL as its saver sets it, synchronous at SQLite's default (FULL)",
    ),
)
