"""The runtime: agents, their runs, and the file that these live in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from math import inf
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio
import anyio.lowlevel

from choragus.actors.event import Events
from choragus.actors.w3c import in_trace
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Region
from choragus.supervision.system import System
from choragus.supervision.tree import TreeNode

from .account import Account
from .agent import Agent, agents_by_name, check_policies, check_start
from .approval import Approval
from .assessing import SuccessRunner
from .attention import Attention, waiting
from .baseline import Baseline
from .context.runner import block_editor, context_runners
from .context.sharing import SharedBlock
from .conversation import Conversations, begin_or_send
from .desk import PARTS, Desk
from .draining import Door, Doorkeeper
from .errors import AgentError
from .evaluating import Bench, Evaluating
from .evaluation.record import Evaluation
from .fork import check_fork, fork_id, parent, standing_at
from .herald import Herald, Hook, Teller, keep_telling
from .holding import OnChange, sorted_runs
from .inspection import RunSummary, Unknown, approvals, find_run, runs, unknowns
from .knowledge.access import KEEPERS, Knowing, libraries_of
from .knowledge.declaration import Library, by_name, checked_episodes
from .ledger import Ledger, check_ledgers, ledgers_by_name
from .limits import Limits
from .logbook.asking import logged
from .logbook.query import Logged
from .mcp.accepting import Accepting
from .mcp.catalogue import Catalogue
from .mcp.pinbook import Pinbook
from .message import ForkRun, StartRun
from .model import Image
from .model_gateway.options import ProviderLimits
from .model_gateway.provision import gateway_for
from .naming import run_id
from .offering import check_prices, release
from .plan.giving import check_plan
from .plan.step import Plan
from .policy.chain import Policy
from .retention import Sweep, prune_runs
from .rulebook import MAIN, Rulebook
from .rules import Rules
from .run import Run
from .service import Services
from .speaking import check_text
from .steering import begin_child
from .telemetry.declaration import Telemetry
from .telemetry.host import begun_in
from .tenancy import check_same, check_tenant
from .toolbelt.breaking import BreakerMoved
from .toolbelt.execution import Toolbelt
from .toolbelt.provision import check_grant, check_resources, secret_names
from .toolbelt.secret import Secrets, Vault
from .tracing import Tracing
from .version.evaluated import Evaluations, Required
from .version.migration import Migration, aliases, checked
from .version.registrar import Registrar
from .version.versioned import Versioned

if TYPE_CHECKING:
    from .telemetry import Exporter

T = TypeVar("T")

PART_BACKOFF = Backoff(first=0.1, most=30.0)
"""How long a part of a run waits before it tries a message again that it failed on."""


class Runtime(Conversations, Accepting, Knowing, Evaluating, Versioned):
    """Runs agents, durably when it has a path. Opening a file goes on with every run in it that is unfinished.

    Args:
        path: the SQLite file, made when it is missing. None keeps everything in memory.
        agents: the agents that may be started here, and that the runs in the file belong to.
        exporter: where the logbook goes as OpenTelemetry spans, any exporter of the SDK: as
            `telemetry=Telemetry(exporter=...)`. It is not shut down at the end, for it is yours.
        on_change: what happens to an unfinished run whose agent is not what it was when the run began (model, prompt,
            tools, limits): "refuse" holds it until the agent is as before, "warn" says so and goes on, for development.
            A run whose agent is missing is held either way. See `docs/versions.md`.
        signals: whether SIGINT and SIGTERM end the runtime in order; a second one ends the process at once.
        clock: wall time, seconds since the epoch.
        policies: what judges the runs of every agent, before the agent's own policies.
        ledgers: the accounts that runs may draw on together.
        resources: what tools get as `context.resources`, a pool or a client say. It is never stored: whoever opens the
            file again gives it again. It is not closed at the end, for it is yours.
        secrets: the secrets that tools may declare: names to values, or to functions that give them, such as
            `os.environ`; or one function from name to value. They are taken out of all that tools give back.
        attempts: how often a part of a run may fail on one message before the run fails.
        providers: what all runs together may ask of a provider of models, by its name.
        attention: what is told of all that needs a person, at least once each: a function, plain or `async`, of an
            `Attention`, or a `Webhook`. It acknowledges by returning; after an error it is told again.
        store: a store of your own instead of a path; it is closed with the runtime.
        libraries: what is known of the libraries that `library()` opens; others keep everything, for good.
        migrations: which runs may go on though their agent has changed, each with whose word that is.
        require_evaluated: whether runs begin only on agents that were evaluated as they are now: True or "refuse",
            "warn", or the path of a report or database in which the evaluations are, instead of this file.
        telemetry: where spans and metrics go, and whether with content; nowhere by default.
        episodes: whether the runs of all agents leave a record of their outcome; a Library says how long it is kept.

    Raises:
        AgentFault: when two agents share a name, or one is no agent, or a policy is none, or the resources are not what
            a tool wants.
        ServerFault: when it is opened, and an MCP server that this file has never seen is not there; AgentFault when it
            is, and does not offer a tool that a plan falls back on.
        SecretFault: when it is opened, and a secret that a tool has declared cannot be had.
        ValueError: when an option is none of those it may be, or there are both a path and a store.
        FileInUse, NotChoragusFile, NewerSchema: when the file cannot be run.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        agents: Iterable[Agent[object]],
        exporter: Exporter | None = None,
        on_change: OnChange = "refuse",
        signals: bool = False,
        clock: Callable[[], float] = time.time,
        policies: Iterable[Policy] = (),
        ledgers: Iterable[Ledger] = (),
        resources: object = None,
        secrets: Secrets | None = None,
        attempts: int = 5,
        store: Store | None = None,
        attention: Hook | None = None,
        providers: Mapping[str, ProviderLimits] | None = None,
        libraries: Iterable[Library] = (),
        episodes: Library | bool = False,
        migrations: Iterable[Migration] = (),
        require_evaluated: Required = False,
        telemetry: Telemetry | None = None,
    ) -> None:
        if path is not None and store is not None:
            raise ValueError(f"both path={str(path)!r} and a store were given: give one of them")
        if exporter is not None and telemetry is not None:
            raise ValueError("exporter=... and telemetry=... were both given: give Telemetry(exporter=...) alone")
        if on_change not in ("refuse", "warn"):
            raise ValueError(f"on_change={on_change!r} is neither 'refuse' nor 'warn'")
        self.place = "memory" if path is None else str(path)
        self._path = path
        self._given = store
        self._agents = agents_by_name(agents)
        self._policies = tuple(policies)
        check_policies("the policies of the runtime", self._policies)
        self._ledgers = ledgers_by_name(ledgers)
        self._toolbelt = Toolbelt(resources, Vault(secrets))
        check_resources(self._agents.values(), resources)
        self._models = gateway_for(self._agents.values(), providers, self._toolbelt.vault, clock)
        self._catalogue = Catalogue(self._agents, self._toolbelt.vault)
        self._telemetry = Telemetry(exporter=exporter) if exporter is not None else telemetry
        self._tracing: Tracing | None = None
        self._on_change = on_change
        self._signals = signals
        self._clock = clock
        self._hook = attention
        self._is_open = False
        self._shelved = by_name(libraries)
        self._episodes = checked_episodes(episodes)
        self._migrations = checked(migrations, self._agents)
        self._bench = Bench(self)
        self._evaluations = Evaluations(require_evaluated, self._bench.is_trial)
        parts = (*PARTS, Rulebook, Herald, Baseline, Account, SharedBlock, Pinbook, Evaluation, Registrar)
        regions = (*parts, Doorkeeper, *KEEPERS)
        self._regions = [Region(part, attempts=attempts, backoff=PART_BACKOFF) for part in regions]

    async def __aenter__(self) -> Self:
        if self._is_open:
            raise RuntimeError(f"this Runtime on {self.place} is open already: make another")
        self._toolbelt.vault.check(secret_names(self._agents.values()))
        if self._telemetry is not None:
            self._tracing = Tracing(self._telemetry, self._toolbelt.vault.scrubbed)
        self.store = await self._open_store()
        try:
            if self._tracing is not None:
                await self._tracing.look(self.store)
            await self._catalogue.open(self.store, self._keep)
            self._system, versions = self._build(), self._services.versions
            await versions.open(self.store)
            await self._evaluations.look(self.store)
            self._unfinished = await sorted_runs(self.store, versions, self._on_change, self._clock(), self._migrations)
            self._system.hold(one.run for one in self._unfinished.held)
            await self._system.__aenter__()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.store.close()
            raise
        self._is_open = True
        held = {one.run: one for one in self._unfinished.held}
        self._desk = Desk(self.place, self.store, self._system, held, self._services)
        try:
            await self._desk.look()
            await self._note_versions()
            await self._catalogue.begin(self._keep)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        if self._tracing is not None:
            self._system.kernel.keep(self._tracing.keep(self._system, self._desk))
        if self._hook is not None:
            self._system.kernel.keep(keep_telling(self._system, self.store, self.held, self._clock()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if self._tracing is not None:
            self._tracing.end()
        try:
            return await self._system.__aexit__(kind, error, trace)
        finally:
            self._is_open = False
            self._desk.close()
            if self._tracing is not None:
                await self._tracing.close()
            await release(self._agents.values())

    @property
    def events(self) -> Events:
        """The system's events: failures, restarts, parked messages, zombies."""
        return self._system.events

    def tree(self) -> TreeNode:
        """The live tree of supervisors and actors, with restarts and failures; `print(runtime.tree())` draws it."""
        return self._system.tree()

    @property
    def rules(self) -> Rules:
        """The standing rules, by which calls run without a question."""
        return Rules(self.store, lambda: self._system.ref(Rulebook, MAIN), self._clock, self._services.rule_fault)

    async def start(
        self,
        agent: Agent[T],
        goal: str,
        *,
        key: str = "",
        tools: Iterable[str] | None = None,
        parent: Run[object] | None = None,
        ledgers: Iterable[str] = (),
        plan: Plan | None = None,
        images: Iterable[Image] = (),
        thread: str = "",
        tenant: str = "",
        traceparent: str | None = None,
    ) -> Run[T]:
        """Start a run; with a key that was used for this agent before, give back that run and start nothing.

        Args:
            tools: the names of those of the agent's tools that this run, and every fork of it, may use; all of them by
                default. A run that goes on under a key keeps what it began with.
            parent: the run that this is a sub-run of: it spends from that one's budget too, is paused and resumed
                with it, and ends with it. The key is then one of that run's own. Where that run was narrowed to some
                tools, this one has none but these.
            ledgers: the names of those that it draws on. A sub-run draws on its parent's.
            plan: the plan that it follows; by default an agent that plans has its model propose one.
            images: pictures beside the goal, at most 20 MB together.
            thread: the name of a conversation with this agent. Its first run begins; once there is one, the goal is
                sent to the last, as by `Run.send`, and tools and ledgers are as they were in the first. The key is then
                that of the text. A plan is for the next run: with one, the text is refused while the last goes on.
            tenant: for whom it runs; it stands in the logbook, and figures can be had by it. A sub-run, a fork and the
                next run of a thread have that of the run before. Keys and threads are shared by all tenants: one that
                another tenant has used is refused.
            traceparent: the span of the host that the run's trace is part of, as W3C has it; by default the one that is
                current in OpenTelemetry, if any, and with "" none. A sub-run is in the trace of its parent.

        Raises:
            ValueError: when `traceparent` is none.
            AgentFault: when the agent is not among the runtime's, the goal or the key is no text, a name is that of
                none of its tools, a ledger is not there, or the plan cannot stand.
            LimitFault: when a model has no price, and the run a ceiling on money.
            LimitReached: when the parent has no depth left for a sub-run.
            Held: when the run of that key is held.
            Paused: when the runtime is paused.
            NotEvaluated: when the agent has to be evaluated, and was not.
            MessageParked: when the run could not begin.
        """
        check_start(self._agents, agent, goal, key)
        self._check_open()
        drawn = check_ledgers(ledgers, self._ledgers, parent)
        known = self._known[agent.name]
        granted = check_grant(known, tools)
        await check_prices(agent, parent is not None or bool(drawn))
        check_plan(known, plan, granted)
        asked = StartRun(
            agent=agent.name,
            goal=goal,
            key=key,
            manifest=self._services.manifest(agent.name).hash,
            tools=granted,
            ledgers=drawn,
            plan=plan,
            images=check_text(goal, images),
            tenant=check_tenant(tenant, parent is not None),
            trace="" if parent is not None else begun_in(traceparent),
        )
        if thread:
            return await begin_or_send(self._desk, asked, thread, parent, agent.typed)
        if not await self._may_begin(agent.name, key, parent):
            await self._services.check_evaluated_by_now(agent.name)
        if parent is not None:
            return await begin_child(self._desk, parent.id, asked, agent.typed)
        while True:
            id = run_id(agent.name, key)
            with in_trace(asked.trace):
                begun = await self._desk.orchestrator(id).ask(asked)
            if begun or key:  # else another run drew the same id
                await check_same(self.store, id, "" if begun else tenant, f"key {key!r}")
                return Run(id, self._desk, agent.typed)

    async def fork(
        self,
        run: str,
        *,
        at: int | None = None,
        key: str = "",
        limits: Limits | None = None,
        by: str = "host",
        changed: bool = False,
    ) -> Run[Any]:
        """Begin a new run from what another was at one point of its past; that one goes on untouched.

        The new run has the conversation up to there, on the agent as it is now. It spends from nothing on, for what was
        spent before is its parent's; idempotency keys, approvals and the wall time are its own. A call that had its
        result by then keeps it and is not made again. One that was under way has a result that says so. Others are
        asked for and approved anew. With a key that was used for this fork before, give back that run, begin nothing.

        Args:
            run: its id, or the beginning of it when no other run begins so. It may have ended.
            at: a position of its logbook, from `RunEvent.position` or `choragus show`; by default the last one before
                its end, and of a run that goes on the last one there is.
            limits: those of the agent by default.
            by: who forks; it stands in the new run's logbook.
            changed: whether the agent may be another than it was when the run began.

        Raises:
            UnknownRun: when there is no such run.
            NotForkable: when it was pruned, had not come to `at` or had ended by then, or the key is another run's.
            Held: when its agent is missing, or has changed and `changed` is False.
            NotEvaluated: when its agent has to be evaluated, and was not.
            AgentFault: when an argument is of a wrong type.
            CorruptRecord: when an entry of the run's logbook is damaged.
            AgentError: when its conversation is, or when anything of this came about in between.
            MessageParked: when the new run could not begin.
        """
        check_fork(at, key, limits, by)
        self._check_open()
        of = await parent(self.store, run, self.place)
        known = self._known.get(of.agent)
        identity = self._services.manifest(of.agent).hash if known else ""
        self._services.check_agent(of.run, of.agent, identity if changed else of.manifest)
        id, there = await fork_id(self.store, of, at, key)
        if there is not None:
            return Run(id, self._desk, self._services.output(of.agent))
        position = (await standing_at(self.store, of.run, at)).position
        await self._services.check_evaluated_by_now(of.agent)
        asked = ForkRun(run=of.run, at=position, agent=of.agent, key=key, manifest=identity, by=by, limits=limits)
        refusal = await self._desk.orchestrator(id).ask(asked)
        if refusal:
            raise AgentError(refusal)
        return Run(id, self._desk, self._services.output(of.agent))

    async def run(self, id: str) -> Run[Any]:
        """The run of that id, or of the only id that begins so; its answer is of its agent's type.

        Raises:
            UnknownRun: when there is none.
        """
        found = await find_run(self.store, id, self.place)
        return Run(found.run, self._desk, self._services.output(found.agent))

    async def runs(self) -> list[RunSummary]:
        """Every run in the file, in the order of their starts."""
        return await runs(self.store)

    def log(
        self,
        *,
        kind: str | Iterable[str] = (),
        run: str = "",
        agent: str = "",
        since: float = 0.0,
        until: float = inf,
        after: int = 0,
    ) -> AsyncIterator[Logged]:
        """The entries of the file that fit, in the order in which they were committed, up to now.

        Args:
            kind: a pattern, or several of which one must fit, such as `approval.*`.
            run: only those of one run's logbook, by its id or the beginning of it.
            agent: only what is said of this agent, and all entries of its runs.
            since, until: seconds since the epoch; the second is not in it.
            after: the `seq` behind which to begin.

        Raises:
            UnknownRun: when there is no such run.
            ValueError: when `since` is not before `until`.
            CorruptRecord: when an entry is not what was written.
        """
        self._check_open()
        return logged(self.store, self.place, kind=kind, run=run, agent=agent, since=since, until=until, after=after)

    async def pending(self) -> list[Approval]:
        """What waits for a person in any run, oldest first: decide by the approval's `approve`, `deny` or `answer`."""
        return await approvals(self.store, desk=self._desk)

    async def unknown(self) -> list[Unknown]:
        """The calls of unknown outcome in any run, oldest first: settle each by its run's `settle`."""
        return await unknowns(self.store)

    async def attention(self) -> list[Attention]:
        """All that needs a person now: approvals, questions, unknown outcomes, parked messages, held runs."""
        return await waiting(self.store, self.held, self._services.opened)

    async def prune(self, *, older_than: float, dry_run: bool = False) -> Sweep:
        """Take away the runs that ended more than so many seconds ago; see `docs/durability.md`.

        Args:
            dry_run: only say what would go.

        Raises:
            ValueError: when `older_than` is negative.
        """
        return await prune_runs(self.store, older_than=older_than, now=self._clock(), dry_run=dry_run)

    async def _may_begin(self, agent: str, key: str, parent: Run[object] | None) -> bool:
        """Whether the run of that key begins, or has begun, whatever its agent was evaluated as."""
        if self._evaluations.required is False:
            return True
        whole = key if parent is None else f"{parent.id}/{key}"
        if key and await self.store.view("run", run_id(agent, whole)) is not None:
            return True
        return self._bench.is_trial(key if parent is None else (await parent.status()).key)

    async def _open_store(self) -> Store:
        if self._given is not None:
            return self._given
        return MemoryStore() if self._path is None else await SqliteStore.open(self._path)

    def _breaker_moved(self, where: str, seconds: float) -> None:
        self._system.events.publish(BreakerMoved(where, seconds))

    def _build(self) -> System:
        self._libraries = libraries_of(self._shelved, self._episodes, self.store, self._clock, lambda: self._system)
        self._services = services = Services(
            self._known,
            self.store,
            self._clock,
            self._on_change,
            self._policies,
            self._toolbelt,
            self._ledgers,
            self._hook,
            editor=block_editor(lambda: self._system),
            models=self._models,
            catalogue=self._catalogue,
            libraries=self._libraries,
            aliases=aliases(self._migrations),
            evaluations=self._evaluations,
        )
        self._toolbelt.moved = self._models.providers.moved = self._breaker_moved
        return System(
            tree=[*(self._tracing.tree() if self._tracing else ()), *self._catalogue.tree()],
            actors=self._regions,
            runners={
                "model": services.call_model,
                "tool": services.call_tool,
                "success": SuccessRunner(services).call,
                "attention": Teller(self._hook).tell,
                "door": Door(lambda why: self._desk.drain(why)).shut,
                **context_runners(services),
            },
            resources=services,
            store=self.store,
            signals=self._signals,
            clock=self._clock,
        )
