"""How a run ends: what is stopped, who is told, and what stays to be read."""

from __future__ import annotations

from typing import TypeVar

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.mailbox.address import actor_id
from choragus.mailbox.turn import Parking

from .approval import approval_id
from .control import ChildEnded
from .knowledge.message import EPISODES, RunOver
from .limits import LAST
from .message import (
    GUARDRAIL,
    MEMORY,
    ORCHESTRATOR,
    TOOL_GATEWAY,
    CancelRun,
    GiveUpRun,
    Perceive,
    RunEnded,
    WallReached,
)
from .model import ChatMessage
from .part import Part
from .state import Phase, RunState, Status
from .version.message import MigrateRun

R = TypeVar("R", bound=RunState)


class Ending(Part[R, M]):
    """What of the orchestrator ends a run."""

    @handle
    def cancel(self, message: CancelRun) -> bool:
        """End as cancelled, also while a call is in flight."""
        if self.state.status.is_final or self.state.phase is Phase.NEW:
            return False
        self._end(Status.CANCELLED, f"cancelled by {message.by}" + (f": {message.reason}" if message.reason else ""))
        return True

    @handle
    def wall(self, message: WallReached) -> None:
        """The wall time is used up. Where a person is asked, or the model answers once more, what is under way ends."""
        limit = self.state.limits.wall_seconds
        if not self._is_over and limit is not None and self.state.limits.policy("wall_seconds") == "fail":
            self._end(Status.LIMIT, f"wall_seconds is limited to {limit:g}: raise it with Limits(wall_seconds=...)")

    @handle
    def give_up(self, message: GiveUpRun) -> None:
        """Another part cannot go on. A guardrail that is down has denied."""
        if not self._is_over:
            denied = message.part == actor_id(GUARDRAIL, self.key)
            self._end(Status.DENIED if denied else Status.FAILED, f"{message.part}: {message.reason}")

    def on_parked(self, message: object, parking: Parking) -> None:
        """The orchestrator itself failed on a message for good."""
        if not self._is_over:
            self._end(Status.FAILED, f"{self.id}: {parking.reason}")

    @handle
    def migrate(self, message: MigrateRun) -> None:
        """A declared patch says that the run may go on as another version of its agent."""
        state = self.state
        if self._is_over or state.manifest != (message.to if message.unbegun else message.was):
            return
        if state.agent not in self.services.agents or self.services.manifest(state.agent).hash != message.to:
            return  # it was posted at another opening, and the agent is another by now
        state.manifest = message.to
        more = {"renamed": message.renamed} if message.renamed else {}
        patch = {"from": message.was, "to": message.to, "by": message.by, "why": message.why, **more}
        self.log("run.migrated", **patch)
        self._note_version()
        self._show()

    @property
    def is_done(self) -> bool:
        """Whether the run is over."""
        return self._is_over

    @property
    def _is_over(self) -> bool:
        """Whether nothing is done in the run any more: it has ended, has not begun, or is about to be ended."""
        over = self.state.status.is_final or self.state.phase is Phase.NEW
        return over or self.key in self.services.condemned

    @property
    def _has_context(self) -> bool:
        """Whether the memory decides what the model sees, and is told what becomes of the run."""
        agent = self.services.agents.get(self.state.agent)
        return agent is not None and agent.context is not None

    def _enter(self, phase: Phase, **fields: object) -> None:
        self._note_version()
        self.state.phase = phase
        self.log("phase", phase=phase.value, step=self.state.step, **fields)

    def _note_version(self) -> None:
        """On what the run goes on, where that is not what it was on before."""
        state, versions = self.state, self.services.versions
        provenance = versions.provenance(state.agent)
        if not provenance:
            return
        identity = versions.manifest(state.agent).hash
        was = state.ran_on or (state.manifest, "")
        if identity == was[0] and versions.is_same(was[1], provenance):
            return
        state.ran_on = identity, provenance
        self._write_version()
        other = {"identity": identity, "was_identity": was[0]} if identity != was[0] else {}
        self.log("run.continued", provenance=provenance, was=was[1], **other)

    def _write_version(self) -> None:
        """The rows of what the agent is now, as far as the file has not got them."""
        versions = self.services.versions
        rows = list(versions.unwritten(self.state.agent))
        for row in rows:
            self.view(row.kind, row.key, row.body, scope=row.scope, sort=self.now)
        if rows:
            self._turn.after_commit(lambda: versions.written([row.key for row in rows]))

    def _end(self, status: Status, outcome: str) -> None:
        state = self.state
        if state.effect:
            self.cancel_effect(state.effect)
        if status is Status.COMPLETED:
            kept = state.kept if outcome == state.text else ()
            self.tell(MEMORY, Perceive(0, (ChatMessage("assistant", outcome, kept=kept),)))
        state.status, state.outcome, state.ended, state.effect = status, outcome, self.now, ""
        state.draft, state.ceiling, state.paused = None, "", {}
        state.clock(self.now)
        if state.unread:
            self._leave_unread(status)
        for call in state.calls:
            call.waits = ""
            self.view("approval", approval_id(self.key, call.id), None)
        self.cancel_timer("wall")
        self.cancel_timer("retry")
        self._enter(Phase.STOP)
        self.tell(TOOL_GATEWAY, RunEnded())
        self.tell(GUARDRAIL, RunEnded(state.agent, status is Status.COMPLETED))
        if self._has_context:
            self.tell(MEMORY, RunEnded())
        more = (
            {"achieved": state.achieved} if status is Status.LIMIT else {"degraded": True} if state.is_degraded else {}
        )
        self.log("run.ended", status=status.value, outcome=outcome, agent=state.agent, **more, **state.figures())
        self._end_family()
        if self.services.keeps_episodes(state.agent):
            self.tell_at(actor_id(EPISODES, state.agent), self._over())
        self._show()
        self._turn.after_commit(self._forget)

    def _forget(self) -> None:
        """Nothing of the run is kept in memory; its own memory does not always hear that it is over."""
        self.services.forget(self.key)
        self._system.actor_done(actor_id(MEMORY, self.key))

    def _leave_unread(self, status: Status) -> None:
        """Texts have been sent to the run that its model will not read."""
        raise NotImplementedError

    def _over(self) -> RunOver:
        state = self.state
        return RunOver(
            run=self.key,
            agent=state.agent,
            goal=state.goal,
            status=state.status.value,
            outcome=state.outcome,
            steps=state.spent.steps,
            cost_usd=state.spent.cost_usd,
            started=state.started,
            ended=state.ended,
            upto=state.upto,
        )

    def _end_last(self, why: str) -> None:
        """What was to be the run's last answer is none: there is no other."""
        limit = self.state.final.removeprefix(LAST).removeprefix(" (").removesuffix(")")
        self._end(Status.LIMIT, f"{limit}, and the last answer {why}")

    def _show(self) -> None:
        self.view("run", self.key, self.state.row(self.key, self.now), sort=self.state.started)

    def _end_family(self) -> None:
        """A run ends with its sub-runs, and the run that it is one of is told."""
        state = self.state
        for child in state.open_children:
            reason = f"run {self.key} has ended ({state.status.value})"
            self.tell_at(actor_id(ORCHESTRATOR, child), CancelRun(by=f"run {self.key}", reason=reason))
        if state.parent:
            ended = ChildEnded(run=self.key, status=state.status.value, outcome=state.outcome)
            self.tell_at(actor_id(ORCHESTRATOR, state.parent), ended)
