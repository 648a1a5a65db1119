"""What the tests of the model gateway are played with: models that fail, wait and speak in pieces, and their agents."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from choragus.agents.agent import Agent
from choragus.agents.errors import ModelError
from choragus.agents.inspection import RunEvent
from choragus.agents.model import ModelReply, ModelRequest
from choragus.agents.model_gateway.cursor import TextChunk, TextRestarted
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.run import Run
from choragus.agents.scripted import FunctionModel
from choragus.agents.streamed import StreamingFunctionModel

Step = str | float | Exception | ModelReply


def now() -> float:
    """Seconds of the loop."""
    return asyncio.get_running_loop().time()


class Named(FunctionModel):
    """A model of a provider of its own that plays these calls in their order; when each began stands in `began`."""

    def __init__(self, provider: str, *plays: Step | Sequence[Step], name: str = "") -> None:
        super().__init__(self._answer, name=name or f"{provider}-1")
        self.provider = provider
        self.began: list[float] = []
        self.requests: list[ModelRequest] = []
        self._plays = plays

    async def _answer(self, request: ModelRequest) -> ModelReply | str:
        self.began.append(now())
        self.requests.append(request)
        play = self._plays[min(len(self.began), len(self._plays)) - 1]
        for step in [play] if isinstance(play, str | float | Exception | ModelReply) else play:
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, Exception):
                raise step
            else:
                return step
        raise AssertionError("a play ends with an answer or an error")


class Speaker(StreamingFunctionModel):
    """The same, piece by piece: texts and waits, and perhaps an error or a reply at the end."""

    def __init__(self, *plays: Sequence[Step], provider: str = "function", name: str = "speaker") -> None:
        super().__init__(self._speak, name=name)
        self.provider = provider
        self.began: list[float] = []
        self.closed = 0
        self._plays = plays

    async def _speak(self, request: ModelRequest) -> AsyncIterator[str | ModelReply]:
        self.began.append(now())
        try:
            for step in self._plays[min(len(self.began), len(self._plays)) - 1]:
                if isinstance(step, float):
                    await asyncio.sleep(step)
                elif isinstance(step, Exception):
                    raise step
                else:
                    yield step
        finally:
            self.closed += 1


def busy(after: float | None = None, kind: str = "rate_limit") -> ModelError:
    """What a provider says that is busy."""
    return ModelError("busy", retryable=True, kind=kind, retry_after=after)


def clerk(*models: FunctionModel, **options: object) -> Agent:
    """An agent of these models, the first before its fallbacks; options of the calls, or of the agent."""
    ours = {name: options.pop(name) for name in tuple(options) if name in CALLS}
    first, *others = models
    made = ModelOptions(**ours)  # type: ignore[arg-type]  # as ModelOptions checks them
    return Agent("clerk", model=first, fallbacks=others, model_options=made, **options)  # type: ignore[arg-type]  # as Agent does


CALLS = ("retries", "timeout", "first_token", "hedge_after", "stream")


Heard = RunEvent | TextChunk | TextRestarted


async def heard(
    run: Run[object], after: int | str = 0, until: Callable[[Heard], bool] = lambda _: False
) -> list[Heard]:
    """What a reader of the run's chunks gets, up to something or to the end; without the lines between."""
    found: list[Heard] = []
    async for one in run.events(after, chunks=True):
        if not isinstance(one, RunEvent) or one.kind in ("model.replied", "run.ended"):
            found.append(one)
        if until(one):
            break
    return found


def texts(found: Sequence[Heard]) -> list[str]:
    """What was heard as texts: pieces as they are, a restart as `|`, a committed answer as `.`."""
    said: list[str] = []
    for one in found:
        if isinstance(one, TextChunk):
            said.append(one.text)
        elif isinstance(one, TextRestarted):
            said.append("|")
        elif one.kind == "model.replied":
            said.append(".")
    return said
