"""The loop of the OpenAI Agents SDK, with a model of our own and its tracing off."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,import-untyped,misc,no-any-unimported,arg-type"
# mypy: disable-error-code="override,attr-defined,assignment,no-untyped-def,untyped-decorator"
from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from agents import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool
from agents.models.interface import Model
from benchmarks.agent_loop import STEPS, Once
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText


class Instant(Model):
    """Calls the tool ten times, then answers."""

    async def get_response(self, system_instructions, input, *args, **kwargs):
        said = sum(isinstance(item, dict) and item.get("type") == "function_call" for item in input)
        if said == STEPS:
            text = ResponseOutputText(text="done", type="output_text", annotations=[])
            item = ResponseOutputMessage(
                id="answer", type="message", role="assistant", status="completed", content=[text]
            )
        else:
            item = ResponseFunctionToolCall(
                call_id=f"call-{said}", type="function_call", name="add", arguments=f'{{"a": {said}, "b": 1}}'
            )
        return ModelResponse(output=[item], usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


@function_tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@asynccontextmanager
async def loop(folder: Path) -> AsyncIterator[Once]:
    """One agent."""
    agent = Agent(name="bench", model=Instant(), tools=[add])
    config = RunConfig(tracing_disabled=True)

    async def once() -> int:
        result = await Runner.run(agent, "Add.", max_turns=2 * STEPS, run_config=config)
        assert result.final_output == "done"
        return sum(item.type == "tool_call_output_item" for item in result.new_items)

    yield once
