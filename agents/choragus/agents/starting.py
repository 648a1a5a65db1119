"""What a runtime offers to begin runs: new ones, those of a thread, sub-runs, and forks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from . import works
from .agent import Agent, check_start
from .conversation import Conversations, begin_or_send
from .errors import AgentError
from .limits import Limits
from .model import Image
from .naming import run_id
from .steering import begin_child

if TYPE_CHECKING:
    from .evaluating import Bench
    from .ledger import Ledger
    from .plan.step import Plan
    from .run import Run
    from .service import Services
    from .version.evaluated import Evaluations

T = TypeVar("T")


class Starting(Conversations):
    """A runtime as those see it who begin runs."""

    place: str
    _agents: Mapping[str, Agent[object]]
    _ledgers: dict[str, Ledger]
    _services: Services
    _evaluations: Evaluations
    _bench: Bench

    @property
    def _known(self) -> dict[str, Agent[object]]:
        """The agents with the tools of their servers."""
        raise NotImplementedError

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
        drawn = works.check_ledgers(ledgers, self._ledgers, parent)
        known = self._known[agent.name]
        granted = works.check_grant(known, tools)
        await works.check_prices(agent, parent is not None or bool(drawn))
        works.check_plan(known, plan, granted)
        asked = works.StartRun(
            agent=agent.name,
            goal=goal,
            key=key,
            manifest=self._services.manifest(agent.name).hash,
            tools=granted,
            ledgers=drawn,
            plan=plan,
            images=works.check_text(goal, images),
            tenant=works.check_tenant(tenant, parent is not None),
            trace="" if parent is not None else works.begun_in(traceparent),
        )
        if thread:
            return await begin_or_send(self._desk, asked, thread, parent, agent.typed)
        if not await self._may_begin(agent.name, key, parent):
            await self._services.check_evaluated_by_now(agent.name)
        if parent is not None:
            return await begin_child(self._desk, parent.id, asked, agent.typed)
        while True:
            id = run_id(agent.name, key)
            with works.in_trace(asked.trace):
                begun = await self._desk.orchestrator(id).ask(asked)
            if begun or key:  # else another run drew the same id
                await works.check_same(self.store, id, "" if begun else tenant, f"key {key!r}")
                return works.Run(id, self._desk, agent.typed)

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
        works.check_fork(at, key, limits, by)
        self._check_open()
        of = await works.parent(self.store, run, self.place)
        known = self._known.get(of.agent)
        identity = self._services.manifest(of.agent).hash if known else ""
        self._services.check_agent(of.run, of.agent, identity if changed else of.manifest)
        id, there = await works.fork_id(self.store, of, at, key)
        if there is not None:
            return works.Run(id, self._desk, self._services.output(of.agent))
        position = (await works.standing_at(self.store, of.run, at)).position
        await self._services.check_evaluated_by_now(of.agent)
        asked = works.ForkRun(run=of.run, at=position, agent=of.agent, key=key, manifest=identity, by=by, limits=limits)
        refusal = await self._desk.orchestrator(id).ask(asked)
        if refusal:
            raise AgentError(refusal)
        return works.Run(id, self._desk, self._services.output(of.agent))

    async def _may_begin(self, agent: str, key: str, parent: Run[object] | None) -> bool:
        """Whether the run of that key begins, or has begun, whatever its agent was evaluated as."""
        if self._evaluations.required is False:
            return True
        whole = key if parent is None else f"{parent.id}/{key}"
        if key and await self.store.view("run", run_id(agent, whole)) is not None:
            return True
        return self._bench.is_trial(key if parent is None else (await parent.status()).key)
