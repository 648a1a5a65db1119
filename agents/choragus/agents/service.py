"""What the parts of a run reach for outside their turns: agents, the conversation on disk, models and tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import attrs

from choragus.actors.effect import EffectContext
from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .agent import Agent
from .errors import BadArguments, BadResult, Held, ModelError
from .flow.declaration import READS, Labels
from .flow.label import RUNTIME
from .flow.reading import Origin, Origins, Reading
from .holding import OnChange, objection
from .manifest import Manifest, manifest
from .message import CallModel, CallTool, JudgeCall, ModelFailed, ModelReplied, ToolReturned
from .model import ChatMessage, ModelRequest, Usage
from .patience import CutOff, TookTooLong, told, within
from .policy.chain import Chain, Policy
from .stream import conversation_stream
from .tool import Risk, Tool, ToolContext

PAGE = 500

MODEL_TIMEOUT = 600.0
"""Seconds for one model call, as the clients of the large providers have it; then it counts as failed."""


@attrs.frozen
class Services:
    """The agents of one runtime and the store that their runs live in.

    `clock` gives seconds since the epoch, `opened` is when the runtime was opened. `common` are the policies that stand
    before each agent's own.
    """

    agents: Mapping[str, Agent]
    store: Store
    clock: Callable[[], float] = time.time
    on_change: OnChange = "refuse"
    common: tuple[Policy, ...] = ()
    opened: float = attrs.field(init=False)
    _heard: dict[str, list[ChatMessage]] = attrs.field(factory=dict, init=False)
    _readings: dict[str, Reading] = attrs.field(factory=dict, init=False)
    _chains: dict[str, Chain] = attrs.field(factory=dict, init=False)

    @opened.default
    def _now(self) -> float:
        return self.clock()

    def agent(self, name: str) -> Agent:
        """The agent of that name.

        Raises:
            LookupError: when the runtime was opened without it.
        """
        if name not in self.agents:
            raise LookupError(f"no agent named {name!r} in this runtime: pass it in Runtime(agents=[...])")
        return self.agents[name]

    def tool(self, agent: str, name: str) -> Tool | None:
        """The tool of that name, if the agent has been granted it."""
        return next((tool for tool in self.agent(agent).tools if tool.name == name), None)

    def fault(self, agent: str, tool: str, arguments: Mapping[str, object]) -> str:
        """What is wrong with these arguments of the agent's tool, or nothing."""
        granted = self.tool(agent, tool)
        if granted is None:
            return f"agent {agent!r} has no tool {tool!r}"
        try:
            granted.parse(arguments)
        except BadArguments as error:
            return str(error)
        return ""

    def labels(self, agent: str, tool: str) -> tuple[str, ...]:
        """The labels to keep with a result of the agent's tool, when a policy follows information.

        What comes back from a tool that there is not is the runtime's own word.
        """
        if not self.policies(agent).follows_information:
            return ()
        granted = self.tool(agent, tool)
        if granted is None:
            return (RUNTIME,)
        labels = granted.labels or Labels()
        is_open = granted.risk is Risk.READ and not (labels.guarded or labels.plans)
        return (*labels.stored(tool), READS) if is_open else labels.stored(tool)

    async def origins_of_call(self, run: str, message: JudgeCall, taken: Collection[str]) -> Origins | None:
        """Where a call comes from, when a policy of its agent wants to know and it is one that matters.

        Args:
            taken: what calls of the same reply have taken of the plan.
        """
        if not self.policies(message.agent).follows_information:
            return None
        granted = self.tool(message.agent, message.tool)
        if granted is None:
            return None
        labels = granted.labels or Labels()
        if granted.risk is Risk.READ and not (labels.guarded or labels.plans):
            return None
        reading = await self._reading(run, message.agent, message.upto)
        return reading.origins(message.tool, message.arguments, labels, taken)

    async def origins_of_answer(self, run: str, agent: str, upto: int) -> Origins | None:
        """Where an answer comes from, when a policy wants to know."""
        if not self.policies(agent).follows_information:
            return None
        context = (await self._reading(run, agent, upto)).context
        return Origins(decision=Origin(context, "written by the model after what it has read"))

    def policies(self, agent: str) -> Chain:
        """What is judged by in the agent's runs; of an agent that is not here the runtime's own policies."""
        if agent not in self._chains:
            own = self.agents[agent].policies if agent in self.agents else ()
            self._chains[agent] = Chain.of(self.common, own)
        return self._chains[agent]

    def manifest(self, agent: str) -> Manifest:
        """What the agent is made of today."""
        return manifest(self.agent(agent), self.common)

    def check_agent(self, run: str, agent: str, was: str) -> None:
        """Raise Held when a run of the agent, whose manifest was that, is not gone on with here."""
        reason = objection(agent, was, self.agents, self.on_change, self.common)
        if reason:
            raise Held(run, reason)

    async def request(self, run: str, agent: str, upto: int) -> ModelRequest:
        """All that the model is sent for a step, from the conversation on disk."""
        who = self.agent(agent)
        messages = await self._conversation(run, upto)
        schemas = tuple(tool.schema for tool in who.tools)
        return ModelRequest(who.model.name, who.prompt.text, tuple(messages[:upto]), schemas)

    async def estimate(self, run: str, agent: str, upto: int) -> Usage:
        """The most that the model call of a step may use."""
        return self.agent(agent).model.estimate(await self.request(run, agent, upto))

    async def call_model(self, request: object, context: EffectContext) -> object:
        """Run a CallModel effect. A ModelError or a model that takes too long is a result; anything else is a bug."""
        assert isinstance(request, CallModel)
        started = self.clock()
        asked = await self.request(request.run, request.agent, request.upto)
        model = self.agent(request.agent).model
        try:
            reply = await within(MODEL_TIMEOUT, model.complete(asked))
        except TookTooLong:
            reason = f"{model.name} did not answer within {MODEL_TIMEOUT:g} s"
            return ModelFailed(reason=reason, retryable=True, started=started, ended=self.clock())
        except ModelError as error:
            return ModelFailed(
                reason=_storable(str(error)), retryable=error.retryable, started=started, ended=self.clock()
            )
        usage = reply.usage or model.estimate(asked)
        return ModelReplied(
            text=reply.text,
            calls=reply.calls,
            stop=reply.stop,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cost_usd=usage.cost_usd,
            started=started,
            ended=self.clock(),
        )

    async def call_tool(self, request: object, context: EffectContext) -> object:
        """Run a CallTool effect. What the tool raises becomes a result that the model reads."""
        assert isinstance(request, CallTool)
        started = self.clock()
        tool = self.tool(request.agent, request.tool)
        if tool is None:
            raise LookupError(f"agent {request.agent!r} has no tool {request.tool!r} any more")
        where = ToolContext(run=request.run, call=request.call, idempotency_key=f"{request.run}/{request.call}")
        text, is_error, unknown = await _outcome(tool, request.arguments, where)
        return ToolReturned(
            text=_storable(text), is_error=is_error, unknown=unknown, started=started, ended=self.clock()
        )

    async def _reading(self, run: str, agent: str, upto: int) -> Reading:
        reading = self._readings.get(run)
        if reading is None or reading.read > upto:
            reading = self._readings[run] = Reading(self.agent(agent).prompt.text)
        for message in (await self._conversation(run, upto))[reading.read : upto]:
            reading.take(message)
        return reading

    async def _conversation(self, run: str, upto: int) -> list[ChatMessage]:
        heard = self._heard.setdefault(run, [])
        while len(heard) < upto:
            page = await self.store.read(conversation_stream(run), after=len(heard), limit=PAGE)
            if not page:
                raise LookupError(f"the conversation of run {run} ends at {len(heard)}, not at {upto}")
            heard += [
                decode_as(ChatMessage, Record("json", 1, entry.body)) for entry in page if entry.position > len(heard)
            ]
        return heard

    def forget(self, run: str) -> None:
        """The run has ended: keep nothing of it in memory."""
        self._heard.pop(run, None)
        self._readings.pop(run, None)


def repeatable(tool: Tool) -> bool:
    """Whether an interrupted call may run again without asking: it only reads, or refuses a key it has seen."""
    return tool.risk is Risk.READ or (tool.risk is Risk.REVERSIBLE and tool.idempotent)


async def _outcome(tool: Tool, arguments: Mapping[str, object], where: ToolContext) -> tuple[str, bool, bool]:
    """The text for the model, whether it tells of an error, and whether nobody knows what the call did."""
    try:
        return tool.render(await within(tool.timeout, tool.call(tool.parse(arguments), where))), False, False
    except TookTooLong:
        return f"{tool.name} took longer than {tool.timeout:g} s and was cancelled", True, not repeatable(tool)
    except CutOff:
        return f"{tool.name} was cancelled from inside", True, not repeatable(tool)
    except BadArguments as error:
        return str(error), True, False
    except BadResult as error:
        return f"{tool.name} has run, but {error}", True, False
    except Exception as error:
        return f"{tool.name} failed: {told(error)}", True, False


def _storable(text: str) -> str:
    """The text without what UTF-8 cannot carry (half a surrogate pair, say)."""
    return text.encode("utf-8", "replace").decode()
