"""The loop of pydantic-ai, with its own FunctionModel."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,arg-type,unused-ignore"
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.agent_loop import STEPS, Once
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel


async def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
    """Calls the tool ten times, then answers."""
    said = sum(message.kind == "response" for message in messages)
    if said == STEPS:
        return ModelResponse(parts=[TextPart("done")])
    return ModelResponse(parts=[ToolCallPart("add", {"a": said, "b": 1}, f"call-{said}")])


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@asynccontextmanager
async def loop(folder: Path) -> AsyncIterator[Once]:
    """One agent."""
    agent = Agent(FunctionModel(answer), tools=[add])

    async def once() -> int:
        result = await agent.run("Add.")
        assert result.output == "done"
        return sum(part.part_kind == "tool-return" for message in result.all_messages() for part in message.parts)

    yield once
