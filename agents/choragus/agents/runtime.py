"""The runtime: agents, their runs, and the file that these live in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
import anyio.lowlevel

from choragus.supervision.backoff import Backoff

from . import works
from .agent import Agent, agents_by_name, check_policies
from .evaluating import Bench, Evaluating
from .knowledge.access import Knowing, keepers, libraries_of
from .mcp.accepting import Accepting
from .model_gateway.options import ProviderLimits
from .starting import Starting
from .surveying import Surveying
from .version.versioned import Versioned

if TYPE_CHECKING:
    from choragus.mailbox.store import Store
    from choragus.supervision.system import System

    from .herald import Hook
    from .holding import OnChange
    from .knowledge.declaration import Library
    from .ledger import Ledger
    from .policy.chain import Policy
    from .telemetry import Exporter
    from .telemetry.declaration import Telemetry
    from .toolbelt.secret import Secrets
    from .tracing import Tracing
    from .version.evaluated import Required
    from .version.migration import Migration

PART_BACKOFF = Backoff(first=0.1, most=30.0)
"""How long a part of a run waits before it tries a message again that it failed on."""


class Runtime(Accepting, Knowing, Evaluating, Versioned, Starting, Surveying):
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
        works.load(tracing=exporter is not None or telemetry is not None)
        self.place = "memory" if path is None else str(path)
        self._path = path
        self._given = store
        self._agents = agents_by_name(agents)
        self._policies = tuple(policies)
        check_policies("the policies of the runtime", self._policies)
        self._ledgers = works.ledgers_by_name(ledgers)
        self._toolbelt = works.Toolbelt(resources, works.Vault(secrets))
        works.check_resources(self._agents.values(), resources)
        self._models = works.gateway_for(self._agents.values(), providers, self._toolbelt.vault, clock)
        self._catalogue = works.Catalogue(self._agents, self._toolbelt.vault)
        self._telemetry = works.Telemetry(exporter=exporter) if exporter is not None else telemetry
        self._tracing: Tracing | None = None
        self._on_change = on_change
        self._signals = signals
        self._clock = clock
        self._hook = attention
        self._is_open = False
        self._shelved = works.by_name(libraries)
        self._episodes = works.checked_episodes(episodes)
        self._migrations = works.checked(migrations, self._agents)
        self._bench = Bench(self)
        self._evaluations = works.Evaluations(require_evaluated, self._bench.is_trial)
        self._unfinished = works.Unfinished()
        parts = (
            *works.PARTS,
            works.Rulebook,
            works.Herald,
            works.Baseline,
            works.Account,
            works.SharedBlock,
            works.Pinbook,
            works.Evaluation,
            works.Registrar,
        )
        regions = (*parts, works.Doorkeeper, *keepers())
        self._regions = [works.Region(part, attempts=attempts, backoff=PART_BACKOFF) for part in regions]

    async def __aenter__(self) -> Self:
        if self._is_open:
            raise RuntimeError(f"this Runtime on {self.place} is open already: make another")
        self._toolbelt.vault.check(works.secret_names(self._agents.values()))
        if self._telemetry is not None:
            self._tracing = works.Tracing(self._telemetry, self._toolbelt.vault.scrubbed)
        self.store = await self._open_store()
        try:
            if self._tracing is not None:
                await self._tracing.look(self.store)
            await self._catalogue.open(self.store, self._keep)
            self._system, versions = self._build(), self._services.versions
            await versions.open(self.store)
            await self._evaluations.look(self.store)
            self._unfinished = await works.sorted_runs(
                self.store, versions, self._on_change, self._clock(), self._migrations
            )
            self._system.hold(one.run for one in self._unfinished.held)
            await self._system.__aenter__()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.store.close()
            raise
        self._is_open = True
        held = {one.run: one for one in self._unfinished.held}
        self._desk = works.Desk(self.place, self.store, self._system, held, self._services)
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
            self._system.kernel.keep(works.keep_telling(self._system, self.store, self.held, self._clock()))
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
            await works.release(self._agents.values())

    async def _open_store(self) -> Store:
        if self._given is not None:
            return self._given
        return works.MemoryStore() if self._path is None else await works.SqliteStore.open(self._path)

    def _breaker_moved(self, where: str, seconds: float) -> None:
        self._system.events.publish(works.BreakerMoved(where, seconds))

    def _build(self) -> System:
        self._libraries = libraries_of(self._shelved, self._episodes, self.store, self._clock, lambda: self._system)
        self._services = services = works.Services(
            self._known,
            self.store,
            self._clock,
            self._on_change,
            self._policies,
            self._toolbelt,
            self._ledgers,
            self._hook,
            editor=works.block_editor(lambda: self._system),
            models=self._models,
            catalogue=self._catalogue,
            libraries=self._libraries,
            aliases=works.aliases(self._migrations),
            evaluations=self._evaluations,
        )
        self._toolbelt.moved = self._models.providers.moved = self._breaker_moved
        return works.System(
            tree=[*(self._tracing.tree() if self._tracing else ()), *self._catalogue.tree()],
            actors=self._regions,
            runners={
                "model": services.call_model,
                "tool": services.call_tool,
                "success": works.SuccessRunner(services).call,
                "attention": works.Teller(self._hook).tell,
                "door": works.Door(lambda why: self._desk.drain(why)).shut,
                **works.context_runners(services),
            },
            resources=services,
            store=self.store,
            signals=self._signals,
            clock=self._clock,
        )
