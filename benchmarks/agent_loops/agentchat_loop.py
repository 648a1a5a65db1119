"""The loop of autogen-agentchat, with a client of our own and its runtime's tracing off."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,arg-type,no-untyped-def,override"
from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

os.environ["AUTOGEN_DISABLE_RUNTIME_TRACING"] = "true"

from autogen_agentchat.agents import AssistantAgent
from autogen_core import FunctionCall
from autogen_core.models import ChatCompletionClient, CreateResult, ModelInfo, RequestUsage
from benchmarks.agent_loop import STEPS, Once


class Instant(ChatCompletionClient):
    """Calls the tool ten times, then answers."""

    component_type = "model"

    async def create(self, messages, **kwargs):
        said = sum(type(message).__name__ == "AssistantMessage" for message in messages)
        call = [FunctionCall(id=f"call-{said}", name="add", arguments=f'{{"a": {said}, "b": 1}}')]
        content, reason = ("done", "stop") if said == STEPS else (call, "function_calls")
        return CreateResult(finish_reason=reason, content=content, usage=RequestUsage(1, 1), cached=False)

    async def create_stream(self, *args, **kwargs):
        raise NotImplementedError

    async def close(self):
        pass

    def actual_usage(self):
        return RequestUsage(0, 0)

    def total_usage(self):
        return RequestUsage(0, 0)

    def count_tokens(self, messages, **kwargs):
        return 0

    def remaining_tokens(self, messages, **kwargs):
        return 1_000_000

    @property
    def capabilities(self):
        return self.model_info

    @property
    def model_info(self):
        return ModelInfo(
            vision=False, function_calling=True, json_output=False, family="unknown", structured_output=False
        )


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@asynccontextmanager
async def loop(folder: Path) -> AsyncIterator[Once]:
    """An agent for each run: it keeps what was said to it."""

    async def once() -> int:
        agent = AssistantAgent("bench", Instant(), tools=[add], max_tool_iterations=2 * STEPS)
        result = await agent.run(task="Add.")
        assert result.messages[-1].content == "done"
        return sum(message.type == "ToolCallExecutionEvent" for message in result.messages)

    yield once
