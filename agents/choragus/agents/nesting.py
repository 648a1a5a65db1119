"""How a run has sub-runs: they begin below it, spend from its budget, and end with it."""

from __future__ import annotations

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.mailbox.address import actor_id

from .admission import narrowed
from .control import ChildEnded, PauseRun, StartChild
from .ending import R
from .errors import NotEvaluated
from .message import ORCHESTRATOR, StartRun, Verdict
from .pausing import PARENT, Pausing


class Nesting(Pausing[R, M]):
    """What of the orchestrator begins sub-runs, and hears of their ends."""

    @handle
    def start_child(self, message: StartChild) -> StartRun | Verdict:
        """Begin a sub-run, unless the run has ended or has no depth left; the same again changes nothing."""
        state = self.state
        if message.run in state.children:
            return self.beginning(message)
        if refusal := self._no_child(message):
            self.log(
                "child.refused", run=message.run, agent=message.start.agent, limit=refusal.limit, reason=refusal.reason
            )
            return refusal
        beginning = self.beginning(message)
        state.children[message.run] = True
        self.log("child.started", run=message.run, agent=message.start.agent, goal=message.start.goal)
        self.tell_at(actor_id(ORCHESTRATOR, message.run), beginning)
        if state.paused:
            paused = "; ".join(state.paused.values())
            self.tell_at(
                actor_id(ORCHESTRATOR, message.run), PauseRun(by=f"run {self.key}", reason=paused, source=PARENT)
            )
        return beginning

    @handle
    def child_ended(self, message: ChildEnded) -> None:
        """A sub-run has its answer, or has ended without one."""
        if self.state.children.get(message.run):
            self.state.children[message.run] = False
            self.log("child.ended", **attrs.asdict(message))

    def beginning(self, message: StartChild) -> StartRun:
        """With what a sub-run begins: the depth that is left, and no tool that this run could not call or delegate."""
        state = self.state
        room = None if state.room is None else state.room - 1
        asked = message.start.tools
        tools = narrowed(self._reach, self.services.agent(message.start.agent).reach if asked is None else asked)
        key = f"{state.key}/{message.start.key}" if self.services.evaluations.is_trial(state.key) else message.start.key
        return attrs.evolve(message.start, parent=self.key, room=room, tools=tools, tenant=state.tenant, key=key)

    @property
    def _reach(self) -> tuple[str, ...]:
        """The tools that this run, and those below it, may call."""
        state = self.state
        return self.services.agent(state.agent).reach if state.granted is None else state.granted

    def _no_child(self, message: StartChild) -> Verdict | None:
        if self._is_over:
            return Verdict(allowed=False, reason=f"run {self.key} has ended, and begins no sub-runs any more")
        if self.state.room is not None and self.state.room <= 0:
            reason = (
                "depth leaves no room for a sub-run below this one, by its own limits or those of a run above it: "
                "raise it with Limits(depth=...)"
            )
            return Verdict(allowed=False, reason=reason, limit="depth")
        if not self.services.evaluations.is_trial(self.state.key):  # an evaluation tries the runs below it too
            try:
                self.services.check_evaluated(message.start.agent)
            except NotEvaluated as refusal:
                return Verdict(allowed=False, reason=str(refusal))
        wider = set(message.start.tools or ()) - set(self._reach)
        if wider:
            has = ", ".join(self._reach) or "no tools"
            how = (
                f"name it in Agent(delegates=[...]) of {self.state.agent!r}"
                if self.state.granted is None
                else "that run was narrowed, and grants only shrink"
            )
            reason = f"a sub-run of run {self.key} cannot have {', '.join(sorted(wider))}, for it reaches {has}: {how}"
            return Verdict(allowed=False, reason=reason)
        return None
