"""The model call that makes a summary: what that model is asked, and the call itself, which is an effect."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from choragus.actors.effect import EffectContext
from choragus.agents.agent import Agent
from choragus.agents.errand import ModelFailed, ModelReplied
from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Model, ModelRequest, Usage, bound
from choragus.agents.patience import TookTooLong, within
from choragus.agents.service import MODEL_TIMEOUT, Services

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
        """Have the summary written. A ModelError, or a model that takes too long, is a result."""
        assert isinstance(request, CallSummary)
        services, started = self._services, self._services.clock()
        agent = services.agent(request.agent)
        working = await services.contexts.at(request.run, request.upto, request.version)
        model, _ = summariser(agent, request.strategy)
        asked = summary_request(agent, request.strategy, working, request.ranges)
        try:
            reply = await within(MODEL_TIMEOUT, model.complete(asked))
        except TookTooLong:
            reason = f"{model.name} did not answer within {MODEL_TIMEOUT:g} s"
            return ModelFailed(reason=reason, retryable=True, started=started, ended=services.clock(), cut_off=True)
        except ModelError as error:
            reason = services.toolbelt.vault.scrubbed(str(error).encode("utf-8", "replace").decode())
            return ModelFailed(
                reason=reason, retryable=error.retryable, started=started, ended=services.clock(), kind=error.kind
            )
        most = bound(model, asked)
        usage = reply.usage or (most if isinstance(most, Usage) else Usage())
        return ModelReplied(
            text=services.toolbelt.vault.scrubbed(reply.text),
            calls=(),
            stop="tool_calls" if reply.calls else reply.stop,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            started=started,
            ended=services.clock(),
            model=reply.model or model.name,
            id=reply.id,
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
