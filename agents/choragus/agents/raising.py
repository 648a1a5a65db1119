"""How a person raises a run's ceilings before it stands at them, or a run that waits for nobody at one."""

from __future__ import annotations

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .answers import CEILING
from .approval import approval_id
from .control import LimitsRaised, Serve
from .message import GUARDRAIL, ORCHESTRATOR
from .treasury import P, Treasury


@stored("choragus.raise_limits")
@attrs.frozen(kw_only=True)
class RaiseLimits(Request[str]):
    """Raise these ceilings of the run, by their names, to these values. The reply is why not, or empty.

    `identity` is how it was established who `by` is.
    """

    limits: dict[str, object]
    by: str
    reason: str = ""
    identity: dict[str, str] = attrs.field(factory=dict)


class Raising(Treasury[P, M]):
    """The guardrail's ear for people who raise ceilings."""

    @handle
    def raise_limits(self, message: RaiseLimits) -> str:
        """Raise ceilings, if who says so is one who is asked at them."""
        refusal = self._stranger() or self._no_raise(message)
        if refusal:
            self.log("limit.refused", by=message.by, reason=refusal, limits=message.limits, identity=message.identity)
            return refusal
        budget = self.state.budget
        budget.limits = budget.limits.raised(message.limits)
        self.log("limit.raised", by=message.by, reason=message.reason, limits=message.limits, identity=message.identity)
        self.tell(ORCHESTRATOR, LimitsRaised(limits=budget.limits))
        self.tell(GUARDRAIL, Serve())
        return ""

    def _no_raise(self, message: RaiseLimits) -> str:
        """Why the ceilings are not raised, or nothing."""
        state = self.state
        if not state.agent or state.over:
            return f"run {self.key} has {'ended' if state.over else 'not begun'}: there is nothing to raise"
        if not message.limits or not message.by.strip():
            return "nothing is raised: name a ceiling, a value, and who says so"
        for subject in state.petitions.pending:
            if subject.startswith(CEILING):
                return f"run {self.key} waits at a ceiling: decide on approval {approval_id(self.key, subject)}"
        who = self.services.approvals(state.agent)
        approvers = who.group(0)
        if who.quorum > 1:
            return (
                f"{who.quorum} have to approve higher ceilings of agent {state.agent!r}: they decide when it is at one"
            )
        if approvers and message.by not in approvers:
            return (
                f"{message.by!r} may not raise ceilings of agent {state.agent!r}: it is put to {', '.join(approvers)}"
            )
        return self.ceiling_fault(message.limits)
