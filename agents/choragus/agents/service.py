"""What the parts of a run reach for outside their turns: agents, the conversation on disk, models and tools."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

import attrs

from choragus.actors.effect import EffectContext
from choragus.mailbox.store import Store

from .agent import Agent
from .approver import Approvals
from .baseline import read_norms
from .context.assembly import assemble
from .context.decision import Framed
from .context.framing import frame
from .context.reading import Contexts
from .context.tool import Editor, asked_edit
from .errand import CallModel, CallTool, ToolReturned
from .errors import BadArguments, Held
from .flow.declaration import READS, Labels
from .flow.following import Readings
from .flow.label import MIXED, OWN, RUNTIME, USER
from .flow.reading import Origin, Origins
from .hearing import Hearing
from .herald import Hook
from .holding import OnChange, objection
from .knowledge.label import labels_within
from .knowledge.opening import Libraries
from .ledger import Ledger
from .manifest import Manifest
from .mcp.catalogue import Catalogue
from .message import JudgeCall, Scope
from .model import ChatMessage, Model, ModelRequest, OutputSchema, ToolSchema, Usage, bound
from .model_gateway.gateway import ModelGateway
from .model_gateway.veil import Veil, veil
from .offering import NO_PRICE, lacks_price, may_not_cost, prepare
from .output import Output
from .plan.book import Book
from .plan.proposal import plan_schemas
from .plan.reading import plan_entries
from .policy.chain import Chain, Policy
from .policy.check import Planned
from .policy.norms import Norms
from .question import ask_person
from .success import Success, whose
from .telemetry.descent import Traces
from .tool import Risk, Tool, ToolContext
from .toolbelt.context import NO_SHELVES
from .toolbelt.execution import Fate, Toolbelt
from .version.evaluated import Evaluations
from .version.keeping import Versions


@attrs.frozen
class Services:
    """The agents of one runtime and the store that their runs live in.

    `clock` gives seconds since the epoch, `opened` is when the runtime was opened. `common` are the policies that stand
    before each agent's own, `hook` is told of what needs a person, `editor` changes the blocks of a run, `catalogue`
    has the MCP servers. `aliases` are the new names of tools by agent and old name, `condemned` the runs that are not
    gone on with and that somebody ends: nothing is done in them any more. `evaluations` say which agents runs may begin
    on.
    """

    agents: Mapping[str, Agent[object]]
    store: Store
    clock: Callable[[], float] = time.time
    on_change: OnChange = "refuse"
    common: tuple[Policy, ...] = ()
    toolbelt: Toolbelt = attrs.field(factory=Toolbelt)
    ledgers: Mapping[str, Ledger] = attrs.field(factory=dict)
    hook: Hook | None = None
    editor: Editor | None = None
    models: ModelGateway = attrs.field(factory=ModelGateway)
    catalogue: Catalogue | None = None
    libraries: Libraries | None = None
    aliases: Mapping[tuple[str, str], str] = attrs.field(factory=dict)
    evaluations: Evaluations = attrs.field(factory=lambda: Evaluations(False))
    condemned: set[str] = attrs.field(factory=set, init=False)
    opened: float = attrs.field(init=False)
    contexts: Contexts = attrs.field(init=False)
    readings: Readings = attrs.field(init=False)
    hearing: Hearing = attrs.field(init=False)
    versions: Versions = attrs.field(init=False)
    traces: Traces = attrs.field(init=False)
    _plans: dict[str, Book] = attrs.field(factory=dict, init=False)
    _chains: dict[str, Chain] = attrs.field(factory=dict, init=False)
    _norms: dict[str, Norms | None] = attrs.field(factory=dict, init=False)
    _veils: dict[str, Veil | None] = attrs.field(factory=dict, init=False)
    _asked: dict[str, tuple[CallModel, ModelRequest]] = attrs.field(factory=dict, init=False)
    """By run: what was estimated last, which most often is the call that is made next."""

    @opened.default
    def _now(self) -> float:
        return self.clock()

    @hearing.default
    def _listens(self) -> Hearing:
        return Hearing(self.store)

    @versions.default
    def _as_they_are(self) -> Versions:
        return Versions(self.agents, self.common)

    @traces.default
    def _traced(self) -> Traces:
        return Traces(self.store)

    @contexts.default
    def _on_disk(self) -> Contexts:
        return Contexts(self.store, self.conversation)

    @readings.default
    def _followed(self) -> Readings:
        return Readings(self.conversation, self.contexts)

    def agent(self, name: str) -> Agent[object]:
        """The agent of that name.

        Raises:
            LookupError: when the runtime was opened without it.
        """
        if name not in self.agents:
            raise LookupError(f"no agent named {name!r} in this runtime: pass it in Runtime(agents=[...])")
        return self.agents[name]

    def tool(self, agent: str, name: str) -> Tool | None:
        """The tool of that name, if the agent is here and has been granted it; or of the name that it has now."""
        if agent not in self.agents:
            return None
        found = next((tool for tool in self.agent(agent).tools if tool.name == name), None)
        if found is None and (agent, name) in self.aliases:
            return next((tool for tool in self.agent(agent).tools if tool.name == self.aliases[agent, name]), None)
        return found

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

    def output(self, agent: str) -> Output[object] | None:
        """Of what type the agent's answers are; None for text."""
        return self.agents[agent].typed if agent in self.agents else None

    def success(self, agent: str) -> Success | None:
        """What the agent declares as success, if it does."""
        return self.agents[agent].success if agent in self.agents else None

    def judged_by(self, agent: str) -> str:
        """Who says whether the agent's runs succeed."""
        success = self.success(agent)
        return "" if success is None else whose(success)

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
        reading = await self.readings.of(run, self.agent(message.agent), message.upto)
        return reading.origins(message.tool, message.arguments, labels, taken)

    async def origins_of_answer(self, run: str, agent: str, upto: int) -> Origins | None:
        """Where an answer comes from, when a policy wants to know."""
        if not self.policies(agent).follows_information:
            return None
        context = (await self.readings.of(run, self.agent(agent), upto)).context
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
        self.agent(agent)
        return self.versions.manifest(agent)

    def check_agent(self, run: str, agent: str, was: str) -> None:
        """Raise Held when a run of the agent, whose manifest was that, is not gone on with here."""
        reason = objection(agent, was, self.versions, self.on_change)
        if reason:
            raise Held(run, reason)

    def check_evaluated(self, agent: str) -> None:
        """Raise NotEvaluated when no run may begin on the agent as it is now, by the evaluations that were read."""
        if self.evaluations.required is not False:
            self.evaluations.check_known(agent, self.manifest(agent).hash)

    async def check_evaluated_by_now(self, agent: str) -> None:
        """The same for who begins a run from outside; evaluations are read again before it is refused."""
        if self.evaluations.required is not False:
            await self.evaluations.check(self.store, agent, self.manifest(agent).hash)

    def model(self, asked: CallModel) -> Model:
        """What is called."""
        who = self.agent(asked.agent)
        return (who.last_models if asked.final else who.models)[asked.model]

    async def request(self, asked: CallModel) -> ModelRequest:
        """All that the model is sent for a step, from the conversation, and the tools that it is granted.

        Of an agent with a context it is what was decided to be shown. The last call of a run is without tools, and with
        its sentence behind what was said.
        """
        who = self.agent(asked.agent)
        if asked.version:
            assembled = assemble(await self.contexts.at(asked.run, asked.upto, asked.version))
            instructions, messages = assembled.instructions, assembled.messages
        else:
            instructions, messages = who.prompt.text, await self._whole(asked)
        if asked.final:
            messages = (*messages, ChatMessage("user", asked.final))
        schemas = () if asked.final else _schemas(who, asked.granted, asked.plan)
        return ModelRequest(self.model(asked).name, instructions, messages, schemas, _output(who, asked.answers))

    async def _whole(self, asked: CallModel) -> tuple[ChatMessage, ...]:
        """The whole conversation, without labels: these are not the model's to read, nor to pay for."""
        messages = tuple((await self.conversation(asked.run, asked.upto))[: asked.upto])
        if self.policies(asked.agent).follows_information:
            return tuple(attrs.evolve(each, labels=()) if each.labels else each for each in messages)
        return messages

    def frame(self, scope: Scope, *, step: int, upto: int) -> Framed:
        """What stands around the conversation of a run.

        Raises:
            LookupError: when the agent has no context.
        """
        who = self.agent(scope.agent)
        if who.context is None:
            raise LookupError(f"agent {scope.agent!r} has no context")
        shown = _schemas(who, scope.granted, scope.plan)
        return frame(who.context, who.prompt, shown, _output(who, scope.answers), step=step, upto=upto)

    async def estimate(self, asked: CallModel) -> Usage | str:
        """The most that the model call of a step may use, or why nobody can tell."""
        model = self.model(asked)
        await prepare(model)
        if lacks_price(model) and may_not_cost(self.agent(asked.agent)):
            return NO_PRICE
        request = await self.request(asked)
        self._asked[asked.run] = (asked, request)
        return bound(model, request)

    async def call_model(self, request: object, context: EffectContext) -> object:
        """Run a CallModel effect."""
        assert isinstance(request, CallModel)
        estimated, asked = self._asked.pop(request.run, (None, None))
        if asked is None or estimated != request:
            asked = await self.request(request)
        options = self.agent(request.agent).model_options
        return await self.models.call(request, asked, self.model(request), options, self.veil(request.agent))

    def veil(self, agent: str) -> Veil | None:
        """What covers the answers of the agent's models while they are written; None: they are not shown before."""
        if agent not in self._veils:
            self._veils[agent] = veil(self.policies(agent), self.models.vault)
        return self._veils[agent]

    def shown(self, agent: str, text: str) -> str | None:
        """A whole answer of the agent's models as readers may be shown it; None when that is for policies to say."""
        cover = self.veil(agent)
        return None if cover is None else cover.over(text)

    async def call_tool(self, request: object, context: EffectContext) -> object:
        """Run a CallTool effect. What the tool raises becomes a result that the model reads."""
        assert isinstance(request, CallTool)
        started = self.clock()
        if request.run in self.condemned:
            return ToolReturned(text=f"run {request.run} is being ended", is_error=True, started=started, ended=started)
        tool = self.tool_in_role(request.agent, request.tool, request.role)
        if tool is None:
            raise LookupError(f"agent {request.agent!r} has no tool {request.tool!r} any more")
        edit = asked_edit(tool, request.agent, request.call, request.arguments)
        if edit is not None and self.editor is not None:
            said = await self.editor(request.run, edit)
            return ToolReturned(text=said.text, is_error=said.is_error, started=started, ended=self.clock())
        where = ToolContext(
            run=request.run,
            call=request.call,
            idempotency_key=idempotency_key(request.run, request.call, request.role),
            attempt=request.attempt + context.attempt - 1,
            shelves=self.libraries or NO_SHELVES,
            traceparent=await self.traces.of_call(request.run, request.call) if tool.wants_trace else "",
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

    async def conversation(self, run: str, upto: int) -> list[ChatMessage]:
        """The conversation of a run up to a position, or further."""
        return await self.hearing.lines(run, upto)

    async def plan(self, run: str, upto: int) -> Book:
        """The run's plan after so many entries, which are on disk; it is shared, so copy it to change it."""
        book = self._plans.get(run, Book())
        if book.read != upto:
            book = book.copy() if book.read < upto else Book()
            for kind, fields in await plan_entries(self.store, run, book.read, upto):
                book.take(kind, fields)
            self._plans[run] = book
        return book

    async def planned(self, run: str, message: JudgeCall) -> Planned | None:
        """Where in its plan the run is, when a policy wants to know."""
        if not message.plan or not self.policies(message.agent).wants_plan:
            return None
        return (await self.plan(run, message.plan)).planned

    async def said(self, run: str, after: int, upto: int) -> list[ChatMessage]:
        """The lines of the conversation behind a position, up to another one that is on disk."""
        return (await self.conversation(run, upto))[after:upto]

    def forget(self, run: str) -> None:
        """The run has ended: keep nothing of it in memory, and begin nothing that waits in line."""
        self.rest(run)
        self.traces.forget(run)
        self.toolbelt.forget(run)
        self.models.podium.forget(run)

    def rest(self, run: str) -> None:
        """The run waits, perhaps for days: what was read of it can be read again."""
        self.hearing.forget(run)
        self._plans.pop(run, None)
        self.contexts.forget(run)
        self.readings.forget(run)
        self._norms.pop(run, None)
        self._asked.pop(run, None)


def _may_be_steered(tool: Tool, labels: Labels) -> bool:
    """Whether a call of the tool needs no origins: it only reads, and its declaration guards nothing."""
    return tool.risk is Risk.READ and not (labels.guarded or labels.plans)


def _schemas(
    agent: Agent[object], granted: tuple[str, ...] | None, plan: tuple[str, ...] = ()
) -> tuple[ToolSchema, ...]:
    """What the model is shown of the agent's tools, and the runtime's own for planning."""
    shown = tuple(tool.schema for tool in agent.tools if granted is None or tool.name in granted)
    return (*shown, *plan_schemas(plan)) if plan else shown


def _output(agent: Agent[object], answers: bool) -> OutputSchema | None:
    return agent.typed.asked if answers and agent.typed is not None else None


def idempotency_key(run: str, call: str, role: str = "") -> str:
    """What a call is known by outside: the same for each attempt, in each process."""
    return f"{run}/{call}/{role}" if role in ("fallback", "check") else f"{run}/{call}"
