"""What the parts of a run reach for outside their turns: agents, the conversation on disk, models and tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import attrs

from choragus.actors.effect import EffectContext
from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .agent import Agent
from .approver import Approvals
from .baseline import read_norms
from .errand import CallModel, CallTool, ModelFailed, ModelReplied, ToolReturned
from .errors import BadArguments, Held, ModelError
from .flow.declaration import READS, Labels
from .flow.label import MIXED, OWN, RUNTIME, USER
from .flow.reading import Origin, Origins, Reading
from .herald import Hook
from .holding import OnChange, objection
from .knowledge.label import labels_within
from .knowledge.opening import Libraries
from .ledger import Ledger
from .manifest import Manifest, manifest
from .message import JudgeCall
from .model import ChatMessage, Model, ModelRequest, ToolSchema, Usage, bound
from .patience import TookTooLong, within
from .policy.chain import Chain, Policy
from .policy.norms import Norms
from .question import ask_person
from .stream import conversation_stream
from .tool import Risk, Tool, ToolContext
from .toolbelt.context import NO_SHELVES
from .toolbelt.execution import Fate, Toolbelt

PAGE = 500

MODEL_TIMEOUT = 600.0
"""Seconds for one model call, as the clients of the large providers have it; then it counts as failed."""


@attrs.frozen
class Services:
    """The agents of one runtime and the store that their runs live in.

    `clock` gives seconds since the epoch, `opened` is when the runtime was opened. `common` are the policies that stand
    before each agent's own, `hook` is told of what needs a person.
    """

    agents: Mapping[str, Agent]
    store: Store
    clock: Callable[[], float] = time.time
    on_change: OnChange = "refuse"
    common: tuple[Policy, ...] = ()
    toolbelt: Toolbelt = attrs.field(factory=Toolbelt)
    ledgers: Mapping[str, Ledger] = attrs.field(factory=dict)
    hook: Hook | None = None
    libraries: Libraries | None = None
    opened: float = attrs.field(init=False)
    _heard: dict[str, list[ChatMessage]] = attrs.field(factory=dict, init=False)
    _readings: dict[str, Reading] = attrs.field(factory=dict, init=False)
    _chains: dict[str, Chain] = attrs.field(factory=dict, init=False)
    _norms: dict[str, Norms | None] = attrs.field(factory=dict, init=False)

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

    def tool_in_role(self, agent: str, name: str, role: str) -> Tool | None:
        """That tool, or the one that has this role beside it: its `fallback`, `undo` or `check`, or `fallback/undo`."""
        found = self.tool(agent, name)
        for part in role.split("/") if role else ():
            helper = getattr(found, part, None)
            found = helper if isinstance(helper, Tool) else None
        return found

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

    def asks(self, agent: str, tool: str) -> bool:
        """Whether the agent's tool of that name is the one that puts a question to a person."""
        return agent in self.agents and self.tool(agent, tool) is ask_person

    def rule_fault(self, tool: str, agent: str, arguments: Mapping[str, object]) -> str:
        """Why no agent could ever make such a call, or nothing."""
        having = [name for name in self.agents if agent in ("", name) and self.tool(name, tool)]
        if not having:
            return f"no agent {agent!r} has a tool {tool!r}" if agent else f"no agent has a tool {tool!r}"
        faults = [self.fault(name, tool, arguments) for name in having]
        return "" if "" in faults else faults[0]

    async def has_rules(self, tool: str) -> bool:
        """Whether any standing rule is about the tool."""
        return bool(await self.store.views("rule", tool))

    def approvals(self, agent: str) -> Approvals:
        """How the agent's questions are put to people; of an agent that is not here as by default."""
        return self.agents[agent].approvals if agent in self.agents else Approvals()

    def keeps_episodes(self, agent: str) -> bool:
        """Whether what the agent's runs leave is kept."""
        kept = self.libraries is not None and self.libraries.episodes is not None
        return kept or (agent in self.agents and self.agents[agent].episodes)

    async def sources_of_run(self, run: str, agent: str, upto: int) -> tuple[str, ...]:
        """Whose words had a part in a run's last answer, where a policy follows information; else nothing."""
        try:
            origins = await self.origins_of_answer(run, agent, upto) if agent in self.agents else None
        finally:
            self.rest(run)
        return () if origins is None else tuple(sorted({*origins.decision.label.sources, USER}))

    def labels(self, agent: str, tool: str, whose: str = OWN, text: str = "") -> tuple[str, ...]:
        """The labels to keep with a result of the agent's tool, when a policy follows information.

        What comes back from a tool that there is not, or from a call that never ran, is the runtime's own word. Where
        another stood in for the tool, whatever that declares, the failure's text is there too: it is untrusted. Where
        the parts of a result have labels of their own, `text` is the result.
        """
        if not self.policies(agent).follows_information:
            return ()
        granted = self.tool(agent, tool)
        if granted is None or whose == RUNTIME:
            return (RUNTIME,)
        labels = granted.labels or Labels()
        if whose == MIXED:
            labels = Labels(arguments=labels.arguments)
        if labels.within:
            return (*labels_within(tool, text), READS)
        return (*labels.stored(tool), READS) if _may_be_steered(granted, labels) else labels.stored(tool)

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
        if _may_be_steered(granted, labels):
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
            own = self.agents[agent].every_policy if agent in self.agents else ()
            self._chains[agent] = Chain.of(self.common, own)
        return self._chains[agent]

    async def norms(self, run: str, agent: str) -> Norms | None:
        """What the completed runs of the agent as it is now did, when this run asked first; None without any."""
        if run not in self._norms:
            self._norms[run] = await read_norms(self.store, self.manifest(agent).hash)
        return self._norms[run]

    def manifest(self, agent: str) -> Manifest:
        """What the agent is made of today."""
        return manifest(self.agent(agent), self.common)

    def check_agent(self, run: str, agent: str, was: str) -> None:
        """Raise Held when a run of the agent, whose manifest was that, is not gone on with here."""
        reason = objection(agent, was, self.agents, self.on_change, self.common)
        if reason:
            raise Held(run, reason)

    def model(self, asked: CallModel) -> Model:
        """What is called."""
        who = self.agent(asked.agent)
        return who.last_model if asked.final else who.models[asked.model]

    async def request(self, asked: CallModel) -> ModelRequest:
        """All that the model is sent for a step, from the conversation on disk, and the tools that it is granted.

        The last call of a run is without tools, and with its sentence behind what was said.
        """
        who = self.agent(asked.agent)
        messages = tuple((await self._conversation(asked.run, asked.upto))[: asked.upto])
        if self.policies(asked.agent).follows_information:  # labels are not the model's to read, nor to pay for
            messages = tuple(attrs.evolve(each, labels=()) if each.labels else each for each in messages)
        if asked.final:
            messages = (*messages, ChatMessage("user", asked.final))
        return ModelRequest(self.model(asked).name, who.prompt.text, messages, _schemas(who, asked))

    async def estimate(self, asked: CallModel) -> Usage | str:
        """The most that the model call of a step may use, or why nobody can tell."""
        return bound(self.model(asked), await self.request(asked))

    async def call_model(self, request: object, context: EffectContext) -> object:
        """Run a CallModel effect. A ModelError or a model that takes too long is a result; anything else is a bug."""
        assert isinstance(request, CallModel)
        started = self.clock()
        asked = await self.request(request)
        model = self.model(request)
        try:
            reply = await within(MODEL_TIMEOUT, model.complete(asked))
        except TookTooLong:
            reason = f"{model.name} did not answer within {MODEL_TIMEOUT:g} s"
            return ModelFailed(
                reason=reason, retryable=True, started=started, ended=self.clock(), cut_off=True, kind="timeout"
            )
        except ModelError as error:
            return ModelFailed(
                reason=self.toolbelt.vault.scrubbed(_storable(str(error))),
                retryable=error.retryable,
                started=started,
                ended=self.clock(),
                kind=error.kind,
                retry_after=error.retry_after,
            )
        usage = reply.usage or _unless_unknown(bound(model, asked))
        return ModelReplied(
            text=reply.text,
            calls=reply.calls,
            stop=reply.stop,
            **attrs.asdict(usage),
            started=started,
            ended=self.clock(),
            model=reply.model,
            id=reply.id,
            kept=reply.kept,
        )

    async def call_tool(self, request: object, context: EffectContext) -> object:
        """Run a CallTool effect. What the tool raises becomes a result that the model reads."""
        assert isinstance(request, CallTool)
        started = self.clock()
        tool = self.tool_in_role(request.agent, request.tool, request.role)
        if tool is None:
            raise LookupError(f"agent {request.agent!r} has no tool {request.tool!r} any more")
        where = ToolContext(
            run=request.run,
            call=request.call,
            idempotency_key=idempotency_key(request.run, request.call, request.role),
            attempt=request.attempt + context.attempt - 1,
            shelves=self.libraries or NO_SHELVES,
        )
        outcome = await self.toolbelt.attempt(tool, request.arguments, where)
        return ToolReturned(
            text=outcome.text,
            is_error=outcome.is_error,
            unknown=outcome.fate is Fate.MAYBE and not tool.repeatable,
            fate=outcome.fate.value,
            retryable=outcome.retryable,
            is_turned_away=outcome.is_turned_away,
            started=started,
            ended=self.clock(),
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
        """The run has ended: keep nothing of it in memory, and begin nothing that waits in line."""
        self.rest(run)
        self.toolbelt.forget(run)

    def rest(self, run: str) -> None:
        """The run waits, perhaps for days: what was read of it can be read again."""
        self._heard.pop(run, None)
        self._readings.pop(run, None)
        self._norms.pop(run, None)


def _may_be_steered(tool: Tool, labels: Labels) -> bool:
    """Whether a call of the tool needs no origins: it only reads, and its declaration guards nothing."""
    return tool.risk is Risk.READ and not (labels.guarded or labels.plans)


def _schemas(agent: Agent, asked: CallModel) -> tuple[ToolSchema, ...]:
    """What the model is shown of the agent's tools."""
    if asked.final:
        return ()
    return tuple(tool.schema for tool in agent.tools if asked.granted is None or tool.name in asked.granted)


def _unless_unknown(most: Usage | str) -> Usage:
    """What a call is taken to have used whose model has not said so."""
    return Usage() if isinstance(most, str) else most


def idempotency_key(run: str, call: str, role: str = "") -> str:
    """What a call is known by outside: the same for each attempt, in each process."""
    return f"{run}/{call}/{role}" if role in ("fallback", "check") else f"{run}/{call}"


def _storable(text: str) -> str:
    """The text without what UTF-8 cannot carry (half a surrogate pair, say)."""
    return text.encode("utf-8", "replace").decode()
