"""What evaluations may do with a runtime, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs
import msgspec

from choragus.actors.ref import Ref
from choragus.mailbox.reader import Reader
from choragus.mailbox.store import Store
from choragus.supervision.system import System

from .agent import Agent
from .errors import AgentFault, EvaluationFault
from .evaluation.record import BeginEvaluation, EndEvaluation, Evaluation, TrialEnded, is_trial_of
from .ledger import Ledger, LedgerSummary
from .mcp.catalogue import Catalogue
from .service import Services
from .toolbelt.execution import Toolbelt


class Evaluating:
    """A runtime as its bench sees it."""

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
    _bench: Bench


def bench_of(runtime: Evaluating) -> Bench:
    """What an evaluation tries the runtime's agents with."""
    return runtime._bench


@attrs.define(eq=False)
class Bench:
    """What `choragus.agents.evaluation` needs of a runtime beside what everybody may do with it."""

    _host: Evaluating
    _under_way: set[str] = attrs.field(factory=set, init=False)

    @property
    def is_open(self) -> bool:
        """Whether the runtime runs."""
        return self._host._is_open

    def now(self) -> float:
        """Seconds since the epoch, by its clock."""
        return self._host._services.clock()

    def evaluation(self, id: str) -> Ref[BeginEvaluation | TrialEnded | EndEvaluation]:
        """The record of the evaluation of that id; `evaluate()` writes it."""
        return self._host._system.ref(Evaluation, id)

    @contextmanager
    def conducted(self, id: str) -> Iterator[None]:
        """While this lasts the runs of that evaluation may begin, and nobody else conducts it here.

        Raises:
            EvaluationFault: when somebody does: both would try, score and write down the same trials.
        """
        if id in self._under_way:
            raise EvaluationFault(f"evaluation {id} is under way in this runtime already: wait for its end")
        self._under_way.add(id)
        try:
            yield
        finally:
            self._under_way.discard(id)

    def conducts(self, id: str) -> bool:
        """Whether an evaluation of that id is under way here."""
        return id in self._under_way

    def is_trial(self, key: str) -> bool:
        """Whether a run of that key is one of an evaluation that is under way here; a key alone can claim anything."""
        return any(is_trial_of(id, key) for id in self._under_way)

    def has_ledger(self, name: str) -> bool:
        """Whether runs can draw on a ledger of that name."""
        return name in self._host._ledgers

    @contextmanager
    def admitted(self, agents: Iterable[Agent[object]]) -> Iterator[None]:
        """Have more agents in a runtime that is not open yet, for as long as this lasts; by name its own come first.

        Raises:
            AgentFault: when it is open.
        """
        host = self._host
        if host._is_open:
            raise AgentFault("this runtime is open: pass what it is to know as Runtime(agents=[...])")
        own, guests = host._agents, {agent.name: agent for agent in agents}
        try:
            self._have({**guests, **own})
            yield
        finally:
            self._have(own)

    def _have(self, agents: Mapping[str, Agent[object]]) -> None:
        host = self._host
        host._agents, host._catalogue = agents, Catalogue(agents, host._toolbelt.vault)

    def move(self, path: str | Path) -> None:
        """Have its runs live in another file than it was made with; before it is opened.

        Raises:
            AgentFault: when it is open, or has a store and no file.
        """
        host = self._host
        if host._is_open or host._given is not None:
            raise AgentFault(f"this runtime is on {host.place}: make one that is not open, and has a path or nothing")
        host._path, host.place = path, str(path)

    def lend(self, ledger: Ledger) -> None:
        """Know a ledger from now on, in place of one of that name. Runs that go on when the file is opened need theirs
        before: see `lent`."""
        self._host._ledgers[ledger.name] = ledger

    async def lent(self, prefix: str) -> dict[str, float]:
        """The ledgers in its file whose names begin so, with what they may spend; before or after it is opened."""
        if self._host._given is not None:
            bodies = [view.body for view in await self._host._given.views("ledger")]
        else:
            bodies = _ledgers_in(self._host.place)
        rows = [msgspec.json.decode(body or b"{}", type=LedgerSummary) for body in bodies]
        return {one.name: one.limit_usd for one in rows if one.name.startswith(prefix) and one.limit_usd is not None}


def _ledgers_in(place: str) -> list[bytes | None]:
    """The rows of the ledgers in a file, without owning it."""
    if place == "memory" or not Path(place).exists():
        return []
    with Reader(place) as reader:
        return [view.body for view in reader.views("ledger")]
