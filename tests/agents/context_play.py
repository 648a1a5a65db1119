"""What the tests of contexts are played with: an agent that looks again and again, and what its model was sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from choragus.agents.agent import Agent
from choragus.agents.context.option import Context
from choragus.agents.limits import Limits
from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, ToolCall
from choragus.agents.run import Run
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.tool import Tool, tool

GOAL = "Look around, 7 times seven."


class Heard:
    """What the models were sent: those of the run, and those that summarise."""

    def __init__(self) -> None:
        self.requests: list[ModelRequest] = []
        self.summaries: list[ModelRequest] = []

    def summarise(self, request: ModelRequest) -> str:
        """A model that counts what it is given."""
        self.summaries.append(request)
        return f"{len(request.messages[0].text)} characters of it"


def looker(size: int = 400) -> Tool:
    """A tool whose results are long."""

    @tool(risk="read")
    async def look(n: int) -> str:
        """Look once more."""
        return f"seen {n + 1} " + "x" * size

    return look


def seen(message: ChatMessage) -> int:
    """How often was looked by then."""
    return int(message.text.split()[1]) if message.name == "look" and message.text.startswith('"seen') else 0


def walker(
    context: Context | None,
    heard: Heard,
    *,
    steps: int = 20,
    size: int = 400,
    also: Callable[[int], Sequence[ToolCall]] = lambda n: (),
    limits: Limits | None = None,
    look: Tool | None = None,
    **options: object,
) -> Agent:
    """An agent that looks so many times, and goes on from what it was shown last."""

    def model(request: ModelRequest) -> Answer:
        heard.requests.append(request)
        n = max((seen(message) for message in request.messages), default=0)
        if n >= steps or not request.tools:
            return f"done after {n}"
        return ModelReply(text=f"step {n}", calls=(*also(n), ToolCall(f"c{n}", "look", {"n": n})))

    return Agent(
        "walker",
        model=FunctionModel(model),
        prompt="Go on.",
        tools=[look or looker(size)],
        context=context,
        limits=limits or Limits(steps=1_000, tokens=None, cost_usd=None, tool_calls=None),
        **options,  # type: ignore[arg-type]  # as Agent checks them
    )


def pairs_are_whole(messages: Sequence[ChatMessage]) -> bool:
    """Whether each line with calls is followed at once by the results of these calls, and no result stands alone."""
    waiting: list[str] = []
    for message in messages:
        if message.role == "tool":
            if not waiting or waiting.pop(0) != message.call_id:
                return False
        elif waiting:
            return False
        else:
            waiting = [call.id for call in message.calls]
    return not waiting


async def explained(run: Run, heard: Heard) -> None:
    """Hold what `explain` says of each step against what the model was sent."""
    for step, request in enumerate(heard.requests, 1):
        told = await run.explain(step)
        assert told.instructions == request.instructions
        assert [(one.role, one.text) for one in told.lines] == [(one.role, one.text) for one in request.messages]
        assert told.tools == tuple(one.name for one in request.tools)
