"""What a runtime offers to evaluations of its agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from . import works
from .agent import Agent
from .errors import AgentFault

if TYPE_CHECKING:
    from choragus.actors.ref import Ref
    from choragus.mailbox.store import Store
    from choragus.supervision.system import System

    from .evaluation.record import BeginEvaluation, EndEvaluation, TrialEnded
    from .ledger import Ledger
    from .mcp.catalogue import Catalogue
    from .service import Services
    from .toolbelt.execution import Toolbelt


class Evaluating:
    """The agents of a runtime as evaluations see them."""

    place: str
    _agents: Mapping[str, Agent[object]]
    _ledgers: dict[str, Ledger]
    _given: Store | None
    _path: str | Path | None
    _system: System
    _services: Services
    _catalogue: Catalogue
    _toolbelt: Toolbelt
    _is_open: bool

    @property
    def is_open(self) -> bool:
        """Whether it runs."""
        return self._is_open

    def now(self) -> float:
        """Seconds since the epoch, by its clock."""
        return self._services.clock()

    def evaluation(self, id: str) -> Ref[BeginEvaluation | TrialEnded | EndEvaluation]:
        """The record of the evaluation of that id; `evaluate()` writes it."""
        return self._system.ref(works.Evaluation, id)

    def has_ledger(self, name: str) -> bool:
        """Whether runs can draw on a ledger of that name."""
        return name in self._ledgers

    def admit(self, agents: Iterable[Agent[object]]) -> None:
        """Take in more agents before it is opened; those that are there by name stay.

        Raises:
            AgentFault: when it is open.
        """
        if self._is_open:
            raise AgentFault("this runtime is open: pass what it is to know as Runtime(agents=[...])")
        for agent in agents:
            self._agents = {agent.name: agent, **self._agents}
        self._catalogue = works.Catalogue(self._agents, self._toolbelt.vault)

    def move(self, path: str | Path) -> None:
        """Have its runs live in another file than it was made with; before it is opened.

        Raises:
            AgentFault: when it is open, or has a store and no file.
        """
        if self._is_open or self._given is not None:
            raise AgentFault(f"this runtime is on {self.place}: make one that is not open, and has a path or nothing")
        self._path, self.place = path, str(path)

    def lend(self, ledger: Ledger) -> None:
        """Know one more ledger from now on. Runs that go on when the file is opened need theirs before: see `lent`."""
        self._ledgers.setdefault(ledger.name, ledger)

    async def lent(self, prefix: str) -> dict[str, float]:
        """The ledgers in its file whose names begin so, with what they may spend; before or after it is opened."""
        if self._given is not None:
            bodies = [view.body for view in await self._given.views("ledger")]
        else:
            bodies = _ledgers_in(self.place)
        rows = [msgspec.json.decode(body or b"{}", type=works.LedgerSummary) for body in bodies]
        return {one.name: one.limit_usd for one in rows if one.name.startswith(prefix) and one.limit_usd is not None}


def _ledgers_in(place: str) -> list[bytes | None]:
    """The rows of the ledgers in a file, without owning it."""
    if place == "memory" or not Path(place).exists():
        return []
    with works.Reader(place) as reader:
        return [view.body for view in reader.views("ledger")]
