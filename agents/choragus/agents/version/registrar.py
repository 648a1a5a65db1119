"""The registrar: keeps the list of the runs that are not gone on with, for whoever reads the file. One for a file."""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.agents.service import Services
from choragus.mailbox.codec import stored

from .message import REGISTRAR, NoteRefused
from .record import REFUSED

MAIN = "main"
"""The key of the one registrar."""


@stored("choragus.registrar_state")
@attrs.define
class RegistrarState:
    """Nothing: what is listed are the rows."""


class Registrar(DurableActor[RegistrarState, NoteRefused], name=REGISTRAR):
    """Writes the rows, and an entry for each that is new."""

    @handle
    def note(self, message: NoteRefused) -> None:
        """These are refused from now on, and those no longer."""
        for run in message.gone:
            self.view(REFUSED, run, None)
        for agent in sorted({one.agent for one in message.refusals if one.now}):
            self._write_version(agent)
        for one in message.refusals:
            body = {**attrs.asdict(one), "changes": list(one.changes)}
            self.view(REFUSED, one.run, {**body, "at": self.now}, scope=one.agent, sort=self.now)
            self.log("run.refused", **body)

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
