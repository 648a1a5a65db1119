"""The runtime: agents, their runs, and the file that these live in."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from uuid import uuid4

import anyio
import attrs

from choragus.actors.errors import AskTimeout, MailboxFull
from choragus.actors.event import Events
from choragus.actors.ref import Ref
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, OneForOne, Region, Supervisor
from choragus.supervision.system import System

from .agent import Agent
from .errors import AgentFault, Failed
from .guardrail import Guardrail
from .inspection import RunSummary, find_run, runs, unfinished
from .manifest import manifest
from .memory import Memory
from .message import CancelRun, Decide, SettleCall, StartRun
from .orchestrator import Orchestrator
from .run import Run
from .service import Services
from .telemetry import Exporter
from .tool_gateway import ToolGateway
from .tracer import Export, Tracer

OnChange = Literal["refuse", "warn"]
PARTS = (Orchestrator, Memory, Guardrail, ToolGateway)


@attrs.frozen
class HeldRun:
    """An unfinished run that this runtime does not go on with, and why."""

    run: str
    agent: str
    reason: str


class Runtime:
    """Runs agents, durably when it has a path. Opening a file goes on with every run in it that is unfinished.

    Args:
        path: the SQLite file, made when it is missing. None keeps everything in memory.
        agents: the agents that may be started here, and that the runs in the file belong to.
        exporter: where the logbook goes as OpenTelemetry spans; any exporter of the SDK. None: nowhere.
        on_change: what happens to an unfinished run whose agent is not what it was when the run began (model, prompt,
            tools, limits): "refuse" holds it until the agent is as before, "warn" goes on.
        signals: whether SIGINT and SIGTERM end the runtime in order; a second one ends the process at once.
        clock: wall time, seconds since the epoch.
        attempts: how often a part of a run may fail on one message before the run fails.

    Raises:
        AgentFault: when two agents share a name.
        FileInUse, NotChoragusFile, NewerSchema: when the file cannot be run.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        agents: Iterable[Agent],
        exporter: Exporter | None = None,
        on_change: OnChange = "refuse",
        signals: bool = False,
        clock: Callable[[], float] = time.time,
        attempts: int = 5,
    ) -> None:
        self.place = "memory" if path is None else str(path)
        self.held: tuple[HeldRun, ...] = ()
        self._path = path
        self._agents = _by_name(agents)
        self._exporter = exporter
        self._on_change = on_change
        self._signals = signals
        self._clock = clock
        self._attempts = attempts

    async def __aenter__(self) -> Self:
        self.store: Store = MemoryStore() if self._path is None else await SqliteStore.open(self._path)
        try:
            self.held = tuple(self._hold(unfinished(await runs(self.store))))
            services = Services(self._agents, self.store, self._clock)
            self._system = System(
                tree=self._tree(),
                actors=[Region(part, attempts=self._attempts) for part in PARTS],
                runners={"model": services.call_model, "tool": services.call_tool},
                resources=services,
                held=[one.run for one in self.held],
                store=self.store,
                signals=self._signals,
                clock=self._clock,
            )
            await self._system.__aenter__()
        except BaseException:
            await self.store.close()
            raise
        if self._exporter is not None:
            self._tracer = self._system.find(Tracer, "runtime/tracer")
            self._system.kernel.keep(self._nudge())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        with anyio.CancelScope(shield=True):
            await self._last_export()
        return await self._system.__aexit__(kind, error, trace)

    @property
    def events(self) -> Events:
        """The system's events: failures, restarts, parked messages, zombies."""
        return self._system.events

    async def start(self, agent: Agent, goal: str, *, key: str = "") -> Run:
        """Start a run; with a key that was used for this agent before, give back that run and start nothing.

        Raises:
            AgentFault: when the agent is not among the runtime's.
            Failed: when the run of that key is held because its agent has changed.
        """
        if self._agents.get(agent.name) is not agent:
            raise AgentFault(f"agent {agent.name!r} is not among this runtime's: pass it in Runtime(agents=[...])")
        id = _run_id(agent.name, key)
        self._check_held(id)
        identity = manifest(agent)
        await self._system.ref(Orchestrator, id).ask(
            StartRun(
                agent=agent.name,
                goal=goal,
                key=key,
                manifest=identity.hash,
                identity=identity.as_dict(),
                limits=agent.limits,
            )
        )
        return Run(id, self)

    async def run(self, id: str) -> Run:
        """The run of that id, or of the only id that begins so.

        Raises:
            UnknownRun: when there is none.
        """
        return Run((await find_run(self.store, id, self.place)).run, self)

    async def runs(self) -> list[RunSummary]:
        """Every run in the file, in the order of their starts."""
        return await runs(self.store)

    def orchestrator(self, run: str) -> Ref[CancelRun]:
        """The run's orchestrator."""
        return self._system.ref(Orchestrator, run)

    def guardrail(self, run: str) -> Ref[Decide]:
        """The run's guardrail."""
        return self._system.ref(Guardrail, run)

    def gateway(self, run: str) -> Ref[SettleCall]:
        """The run's tool gateway."""
        return self._system.ref(ToolGateway, run)

    def reader(self) -> asyncio.Event:
        """An event that is set when log entries were committed."""
        return self._system.kernel.reader()

    def reader_done(self, event: asyncio.Event) -> None:
        """Give a reader's event back."""
        self._system.kernel.reader_done(event)

    def _tree(self) -> list[Supervisor]:
        if self._exporter is None:
            return []
        tracer = Child(Tracer, name="tracer", args=(self._exporter,), mailbox=2)
        again = OneForOne(max_restarts=5, within=60.0, backoff=Backoff(first=0.1, most=10.0))
        return [Supervisor(name="runtime", strategy=again, children=(tracer,))]

    def _hold(self, unfinished: Iterable[RunSummary]) -> Iterable[HeldRun]:
        for summary in unfinished:
            agent = self._agents.get(summary.agent)
            if agent is None:
                yield HeldRun(summary.run, summary.agent, f"its agent {summary.agent!r} is not among the runtime's")
            elif self._on_change == "refuse" and manifest(agent).hash != summary.manifest:
                reason = (
                    f"agent {agent.name!r} has changed since it began (manifest {summary.manifest[:12]} then, "
                    f"{manifest(agent).hash[:12]} now): open it with the agent as it was, or with "
                    "Runtime(on_change='warn')"
                )
                yield HeldRun(summary.run, summary.agent, reason)

    def _check_held(self, id: str) -> None:
        held = next((one for one in self.held if one.run == id), None)
        if held is not None:
            raise Failed(id, f"it is held: {held.reason}")

    async def _nudge(self) -> None:
        """Tell the tracer whenever there is something new."""
        news = self.reader()
        while True:
            await news.wait()
            news.clear()
            try:
                self._tracer.tell(Export())
            except MailboxFull:
                await asyncio.sleep(0.05)

    async def _last_export(self) -> None:
        if self._exporter is not None and not self._system.kernel.stopped:
            try:
                await self._tracer.ask(Export(), timeout=5.0)
            except (AskTimeout, MailboxFull):
                return


def run_sync(agent: Agent, goal: str, *, path: str | Path | None = None, key: str = "") -> str:
    """Run one agent from plain code and give back its result; Ctrl-C ends it in order.

    Raises:
        RuntimeError: when called inside a running event loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError(
            "run_sync starts an event loop of its own and one is running already: use "
            "`async with Runtime(...) as runtime` and `await (await runtime.start(agent, goal)).result()`"
        )

    async def main() -> str:
        async with Runtime(path, agents=[agent], signals=True) as runtime:
            return await (await runtime.start(agent, goal, key=key)).result()

    return anyio.run(main)


def _by_name(agents: Iterable[Agent]) -> dict[str, Agent]:
    found: dict[str, Agent] = {}
    for agent in agents:
        if not isinstance(agent, Agent):
            raise AgentFault(f"{agent!r} is no Agent: pass Runtime(agents=[Agent(...)])")
        if agent.name in found:
            raise AgentFault(f"two agents are named {agent.name!r}: rename one")
        found[agent.name] = agent
    return found


def _run_id(agent: str, key: str) -> str:
    """12 hexadecimal digits: from the agent and the key, or by chance when there is no key."""
    return hashlib.sha256(f"{agent}\n{key}".encode()).hexdigest()[:12] if key else uuid4().hex[:12]
