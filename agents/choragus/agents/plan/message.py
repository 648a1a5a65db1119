"""The messages by which a run goes through its plan."""

from __future__ import annotations

import attrs

from choragus.mailbox.codec import stored


@stored("choragus.advance_plan")
@attrs.frozen(kw_only=True)
class AdvancePlan:
    """To an orchestrator, by itself: go on with the plan.

    The step in hand has this `outcome`, by whom; or its attempt has failed for this reason; or a person has said what
    becomes of it. Without a step in hand the next one begins. `entries` is how many there were when this was sent: of
    two only the first counts.
    """

    entries: int
    outcome: str = ""
    failure: str = ""
    choice: str = ""
    by: str = ""


@stored("choragus.plan_call")
@attrs.frozen
class PlanCall:
    """To an orchestrator, by itself: carry out a call of the model that is about the plan."""

    call: str


@stored("choragus.put_question")
@attrs.frozen(kw_only=True)
class PutQuestion:
    """To the guardrail: ask a person. The orchestrator gets a Decided about the subject, with the answer."""

    subject: str
    agent: str
    step: int
    text: str
    why: str
    options: tuple[str, ...] = ()
    approvers: tuple[str, ...] = ()
