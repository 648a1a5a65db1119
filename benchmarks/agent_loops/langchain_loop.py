"""The loop of LangChain's agent on LangGraph, without a checkpointer or with SQLite and durability sync."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,arg-type,no-untyped-def,untyped-decorator"
# mypy: disable-error-code="override,no-untyped-call"
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

from benchmarks.agent_loop import STEPS, Once
from benchmarks.raw_commit import fresh
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver


class Instant(BaseChatModel):
    """Calls the tool ten times, then answers."""

    @property
    def _llm_type(self):
        return "instant"

    def bind_tools(self, tools, **kwargs):
        return self

    def _generate(self, messages, stop=None, run_manager=None, **kwargs):
        said = sum(message.type == "ai" for message in messages)
        call = {"name": "add", "args": {"a": said, "b": 1}, "id": f"call-{said}", "type": "tool_call"}
        message = AIMessage("done") if said == STEPS else AIMessage("", tool_calls=[call])
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs):
        return self._generate(messages)


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@asynccontextmanager
async def in_memory(folder: Path) -> AsyncIterator[Once]:
    """Nothing is kept."""
    yield _once(create_agent(Instant(), [add]))


@asynccontextmanager
async def durable(folder: Path) -> AsyncIterator[Once]:
    """Each step is in the file before the next."""
    async with AsyncSqliteSaver.from_conn_string(str(fresh(folder, "langchain"))) as saver:
        await saver.setup()
        yield _once(create_agent(Instant(), [add], checkpointer=saver), durability="sync")


def _once(agent, **options) -> Once:
    async def once() -> int:
        config = {"configurable": {"thread_id": uuid4().hex}, "recursion_limit": 10 * STEPS}
        result = await agent.ainvoke({"messages": [("user", "Add.")]}, config, **options)
        assert result["messages"][-1].content == "done"
        return sum(message.type == "tool" for message in result["messages"])

    return once
