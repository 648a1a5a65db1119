"""The model call that makes a summary: what that model is asked, and the call itself, which is an effect."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import msgspec

from choragus.actors.effect import EffectContext
from choragus.agents.agent import Agent
from choragus.agents.errand import CallModel, ModelFailed
from choragus.agents.model import ChatMessage, Model, ModelRequest
from choragus.agents.service import Services

from .decision import Ranges
from .errand import CallSummary
from .strategy import Summarise
from .working import Working, positions_in


def summariser(agent: Agent[object], place: int) -> tuple[Model, Summarise]:
    """Who writes the summaries of the strategy of that place, and how.

    Raises:
        LookupError: the agent has none there any more.
    """
    strategies = () if agent.context is None else agent.context.compaction
    found = strategies[place] if place < len(strategies) else None
    if not isinstance(found, Summarise):
        raise LookupError(f"agent {agent.name!r} has no Summarise at place {place + 1} of its context any more")
    return found.model or agent.last_model, found


def summary_request(agent: Agent[object], place: int, working: Working, ranges: Ranges) -> ModelRequest:
    """What that model is asked: its instructions, and one line with all that is to be summarised."""
    model, strategy = summariser(agent, place)
    return ModelRequest(
        model.name, strategy.prompt.text, (ChatMessage("user", "\n\n".join(_told(working, ranges))),), ()
    )


class Summariser:
    """Runs CallSummary effects."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def call(self, request: object, context: EffectContext) -> object:
        """Have the summary written, by way of the model gateway. A model that fails is a result."""
        assert isinstance(request, CallSummary)
        services = self._services
        agent = services.agent(request.agent)
        working = await services.contexts.at(request.run, request.upto, request.version)
        model, _ = summariser(agent, request.strategy)
        asked = summary_request(agent, request.strategy, working, request.ranges)
        place = CallModel(run=request.run, agent=request.agent, step=0, upto=request.upto)
        options = attrs.evolve(agent.model_options, hedge_after=None)  # nothing is set aside for a second call
        answer = await services.models.call(place, asked, model, options, None)
        if isinstance(answer, ModelFailed):
            return answer
        return attrs.evolve(
            answer,
            text=services.toolbelt.vault.scrubbed(answer.text),
            calls=(),
            stop="tool_calls" if answer.calls else answer.stop,
            model=answer.model or model.name,
            kept=(),
        )


def _told(working: Working, ranges: Ranges) -> Iterator[str]:
    """The summary of before, and the lines as they are shown."""
    if working.summary is not None:
        yield f"[summary of what came before]\n{working.summary.text}"
    named = positions_in(ranges)
    for item in working.items:
        if item.position in named:
            yield _line(item.message)


def _line(message: ChatMessage) -> str:
    if message.role == "tool":
        return f"[{message.name}{' failed' if message.is_error else ''}]\n{message.text}"
    calls = [f"calls {call.name} {msgspec.json.encode(call.arguments).decode()}" for call in message.calls]
    return "\n".join([f"[{message.role}]", *([message.text] if message.text else []), *calls])
