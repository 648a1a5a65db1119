"""The versions of a runtime in the hands of its host: which runs are refused, and on what new ones begin."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

import choragus.agents.works as works
from choragus.agents.agent import Agent
from choragus.mailbox.address import actor_id

if TYPE_CHECKING:
    from choragus.agents.desk import Desk
    from choragus.agents.holding import HeldRun, Unfinished
    from choragus.agents.manifest import Manifest
    from choragus.agents.policy.chain import Policy
    from choragus.agents.service import Services
    from choragus.mailbox.store import Store
    from choragus.supervision.system import System

    from .evaluated import Evaluations
    from .message import Refusal


_LOG = logging.getLogger("choragus")


AT_ONCE = 200
"""Refusals that are noted in one turn."""


class Versioned:
    """What of a runtime knows on what its runs began."""

    store: Store
    _system: System
    _services: Services
    _evaluations: Evaluations
    _unfinished: Unfinished
    """What was found at the opening."""
    _desk: Desk
    _policies: tuple[Policy, ...]

    @property
    def _known(self) -> dict[str, Agent[object]]:
        """The agents with the tools of their servers."""
        raise NotImplementedError

    @property
    def agents(self) -> dict[str, Agent[object]]:
        """The agents that may be started here, by name, each with the tools of its servers that are known."""
        return dict(self._known)

    @property
    def held(self) -> tuple[HeldRun, ...]:
        """The unfinished runs that this runtime does not go on with, and why: the agent is missing, or another."""
        held = self._unfinished.held
        return tuple(one for one in held if self._desk.holds(one.run)) if held else ()

    @property
    def warned(self) -> tuple[HeldRun, ...]:
        """The runs that it goes on with though their agent is another, for it was opened with on_change="warn"."""
        return self._unfinished.warned

    def refused(self) -> list[HeldRun]:
        """`held`, each with what differs: `changes`, or as lines to read `difference`.

        Such a run can be ended (`Run.cancel`), forked onto the agent as it is now (`Runtime.fork(changed=True)`), or
        gone on with by a `Migration` when the file is opened again.
        """
        return list(self.held)

    def identity(self, agent: Agent[object] | str) -> Manifest:
        """What the agent of that name is now, with the policies of the runtime and its servers' tools, once it is open.

        Raises:
            LookupError: when it is not among the runtime's.
        """
        name = agent.name if isinstance(agent, Agent) else agent
        if name not in self._known:
            raise LookupError(f"no agent named {name!r} in this runtime: it has {', '.join(self._known) or 'none'}")
        return works.manifest(self._known[name], self._policies)

    async def _note_versions(self) -> None:
        """Write down what is refused, have declared patches applied, and end what somebody has asked to be ended."""
        found = self._unfinished
        for one in found.warned:
            _LOG.warning("run %s goes on though %s", one.run, one.reason)
        noted = [*(one.refusal() for one in found.held), *(one.refusal(warned=True) for one in found.warned)]
        known = {view.key: msgspec.json.decode(view.body or b"{}") for view in await self.store.views(works.REFUSED)}
        fresh = [one for one in noted if not _is_known(one, known.get(one.run))]
        gone = sorted(known.keys() - {one.run for one in noted})
        registrar = self._system.ref(works.Registrar, works.MAIN)
        for at in range(0, len(fresh), AT_ONCE):
            registrar.tell(works.NoteRefused(tuple(fresh[at : at + AT_ONCE])))
        for at in range(0, len(gone), AT_ONCE):
            registrar.tell(works.NoteRefused(gone=tuple(gone[at : at + AT_ONCE])))
        for run, patch in found.migrated:
            self._system.ref(works.Orchestrator, run).tell(patch)
        for one in found.held:
            if await works.recorded(self.store, actor_id(works.ORCHESTRATOR, one.run), works.CancelRun):
                await self._desk.let_end(one.run)


def _is_known(one: Refusal, row: Mapping[str, object] | None) -> bool:
    """Whether the file says already that the run is refused, for that very version of its agent."""
    return row is not None and (row.get("was"), row.get("now"), row.get("warned")) == (one.was, one.now, one.warned)
