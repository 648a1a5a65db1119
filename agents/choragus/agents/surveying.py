"""What a runtime offers to look at its runs: one, all, the logbook, and what waits for a person."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from math import inf
from typing import TYPE_CHECKING, Any

from . import works

if TYPE_CHECKING:
    from choragus.actors.event import Events
    from choragus.mailbox.store import Store
    from choragus.supervision.system import System
    from choragus.supervision.tree import TreeNode

    from .approval import Approval
    from .attention import Attention
    from .desk import Desk
    from .holding import HeldRun
    from .inspection import RunSummary, Unknown
    from .logbook.query import Logged
    from .retention import Sweep
    from .rules import Rules
    from .run import Run
    from .service import Services


class Surveying:
    """A runtime as those see it who look after its runs."""

    place: str
    store: Store
    _desk: Desk
    _system: System
    _services: Services
    _clock: Callable[[], float]

    @property
    def held(self) -> tuple[HeldRun, ...]:
        """The unfinished runs that it does not go on with."""
        raise NotImplementedError

    def _check_open(self) -> None:
        raise NotImplementedError

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
        return works.Rules(
            self.store, lambda: self._system.ref(works.Rulebook, works.MAIN), self._clock, self._services.rule_fault
        )

    async def run(self, id: str) -> Run[Any]:
        """The run of that id, or of the only id that begins so; its answer is of its agent's type.

        Raises:
            UnknownRun: when there is none.
        """
        found = await works.find_run(self.store, id, self.place)
        return works.Run(found.run, self._desk, self._services.output(found.agent))

    async def runs(self) -> list[RunSummary]:
        """Every run in the file, in the order of their starts."""
        return await works.runs(self.store)

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
        return works.logged(
            self.store, self.place, kind=kind, run=run, agent=agent, since=since, until=until, after=after
        )

    async def pending(self) -> list[Approval]:
        """What waits for a person in any run, oldest first: decide by the approval's `approve`, `deny` or `answer`."""
        return await works.approvals(self.store, desk=self._desk)

    async def unknown(self) -> list[Unknown]:
        """The calls of unknown outcome in any run, oldest first: settle each by its run's `settle`."""
        return await works.unknowns(self.store)

    async def attention(self) -> list[Attention]:
        """All that needs a person now: approvals, questions, unknown outcomes, parked messages, held runs."""
        return await works.waiting(self.store, self.held, self._services.opened)

    async def prune(self, *, older_than: float, dry_run: bool = False) -> Sweep:
        """Take away the runs that ended more than so many seconds ago; see `docs/durability.md`.

        Args:
            dry_run: only say what would go.

        Raises:
            ValueError: when `older_than` is negative.
        """
        return await works.prune_runs(self.store, older_than=older_than, now=self._clock(), dry_run=dry_run)
