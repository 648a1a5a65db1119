"""The registrar: keeps the list of the runs that are not gone on with, for whoever reads the file. One for a file."""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.agents.service import Services
from choragus.mailbox.codec import stored

from .message import REGISTRAR, NoLongerRefused, NoteRefused
from .record import REFUSED

MAIN = "main"
"""The key of the one registrar."""


@stored("choragus.registrar_state")
@attrs.define
class RegistrarState:
    """The runs that are listed, and the identity by which each was refused."""

    listed: dict[str, str] = attrs.field(factory=dict)


class Registrar(DurableActor[RegistrarState, NoteRefused | NoLongerRefused], name=REGISTRAR):
    """Writes the rows, and an entry when one is new."""

    @handle
    def note(self, message: NoteRefused) -> None:
        """These are refused, and no others."""
        state = self.state
        now = {one.run for one in message.refusals}
        for run in [run for run in state.listed if run not in now]:
            self._strike(run)
        agents = {one.agent for one in message.refusals if one.now}
        for agent in sorted(agents):
            self._write_version(agent)
        for one in message.refusals:
            body = {**attrs.asdict(one), "changes": list(one.changes), "at": self.now}
            self.view(REFUSED, one.run, body, scope=one.agent, sort=self.now)
            mark = f"{one.now} {'warned' if one.warned else 'refused'}"
            if state.listed.get(one.run) != mark:
                self.log("run.refused", **{name: each for name, each in body.items() if name != "at"})
            state.listed[one.run] = mark

    @handle
    def no_longer(self, message: NoLongerRefused) -> None:
        """That one is ended."""
        if message.run in self.state.listed:
            self._strike(message.run)

    def _strike(self, run: str) -> None:
        del self.state.listed[run]
        self.view(REFUSED, run, None)

    def _write_version(self, agent: str) -> None:
        """What the agent is now, so that the difference can be shown to whoever has the file only."""
        services = self.resources
        assert isinstance(services, Services)
        if agent not in services.agents:
            return
        rows = list(services.versions.unwritten(agent))
        for row in rows:
            self.view(row.kind, row.key, row.body, scope=row.scope, sort=self.now)
        self._turn.after_commit(lambda: services.versions.written([row.key for row in rows]))
