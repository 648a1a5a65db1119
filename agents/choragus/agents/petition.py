"""What of a run waits for a person, and what was decided. Pure."""

from __future__ import annotations

from enum import Enum

import attrs

from .approval import Approval, approval_id
from .approver import Approvals
from .message import GUARDRAIL, Decide, Decided
from .question import fault

DEADLINE = "deadline"
"""Who decides when nobody has in time."""


class Kind(Enum):
    """What is asked of the person."""

    CALL = "call"
    """May this call run?"""
    ESCALATION = "escalation"
    """The same, put to whom the run's questions are escalated."""
    CHECKPOINT = "checkpoint"
    """May the run go on with this text, or this call run, for the agent's declaration wants it looked at?"""
    CEILING = "ceiling"
    """May the ceiling be raised to this?"""
    QUESTION = "question"
    """What does the model have to know?"""


@attrs.define(kw_only=True)
class Petition:
    """One question to a person. `subject` names it within the run; `asker` is the part that is told the answer.

    `hash` binds the answer to what was shown. `level` is the place in the chain of approvers, `due` by when somebody
    has to decide (0.0: no end), `given` who has approved so far, `edited` who has changed the arguments, which were
    `original`. `origins` are those of the arguments, by their paths.
    """

    subject: str
    kind: Kind
    asker: str
    agent: str = ""
    tool: str = ""
    risk: str = ""
    arguments: dict[str, object] = attrs.field(factory=dict)
    text: str = ""
    hash: str = ""
    reason: str = ""
    approvers: tuple[str, ...] = ()
    asked: float = 0.0
    step: int = 0
    said: str = ""
    options: tuple[str, ...] = ()
    origins: dict[str, str] = attrs.field(factory=dict)
    level: int = 0
    quorum: int = 1
    given: tuple[str, ...] = ()
    within: float = 0.0
    due: float = 0.0
    default: str = "deny"
    edited: str = ""
    original: dict[str, object] | None = None
    cost_usd: float = 0.0

    @property
    def is_call(self) -> bool:
        """Whether it is about a call that then runs."""
        return bool(self.tool) and self.kind is not Kind.QUESTION and not self.is_ceiling

    @property
    def is_ceiling(self) -> bool:
        """Whether it is about a ceiling that may be raised."""
        return self.asker == GUARDRAIL

    def ask(self, who: Approvals, now: float) -> None:
        """Put it to the approvers at its level, from now on; approvers that a policy named stand for the first group.

        Nobody has approved so far. A call that cannot be undone is never allowed by the lapse of time.
        """
        if self.level or not self.approvers:
            self.approvers = who.group(self.level)
        self.quorum = 1 if self.kind is Kind.QUESTION else min(who.quorum, len(set(self.approvers)) or who.quorum)
        self.given = ()
        self.within = who.within or 0.0
        self.due = now + self.within if self.within else 0.0
        self.default = who.default
        if self.default == "escalate" and not who.has_next(self.level):
            self.default = "deny"
        may_lapse = self.kind in (Kind.CALL, Kind.CHECKPOINT) and self.risk != "irreversible"
        if self.default == "allow" and not may_lapse:
            self.default = "deny"

    def change(self, arguments: dict[str, object], hash: str, by: str) -> None:
        """A person wants other arguments: whoever has approved before has not approved these."""
        was = self.arguments
        changed = {f"$.{name}" for name in arguments if arguments[name] != was.get(name)}
        self.origins = {**self.origins, **dict.fromkeys(sorted(changed), f"changed by {by}")}
        self.original = was if self.original is None else self.original
        self.arguments, self.hash, self.given = arguments, hash, ()
        self.edited = by if arguments != self.original else ""

    def shown(self, run: str) -> Approval:
        """It, as people see it."""
        return Approval(
            id=approval_id(run, self.subject),
            run=run,
            call=self.subject,
            tool=self.tool,
            arguments={} if self.kind is Kind.QUESTION else self.arguments,
            hash=self.hash,
            asked=self.asked,
            kind=self.kind.value,
            agent=self.agent,
            step=self.step,
            risk=self.risk,
            why=self.reason,
            said=self.said,
            text=self.text,
            options=self.options,
            origins=self.origins,
            approvers=self.approvers,
            quorum=self.quorum,
            given=self.given,
            due=self.due,
            default=self.default,
            cost_usd=self.cost_usd,
            idempotency_key=f"{run}/{self.subject}" if self.is_call else "",
            level=self.level,
        )


@attrs.define
class Petitions:
    """The questions of one run: those that wait, by their subject, and what was decided on the others.

    `ruled` are those that a standing rule may answer, while the rulebook is asked.
    """

    pending: dict[str, Petition] = attrs.field(factory=dict)
    decided: dict[str, Decide] = attrs.field(factory=dict)
    unknown: list[str] = attrs.field(factory=list)
    ruled: dict[str, Petition] = attrs.field(factory=dict)

    @property
    def waits(self) -> bool:
        """Whether anything waits for a person, a call of unknown outcome too."""
        return bool(self.pending or self.unknown)

    def is_decided_so(self, message: Decide) -> bool:
        """Whether the same was decided before: who reads a run's past meets its questions again."""
        earlier = self.decided.get(message.call)
        if earlier is not None:
            return earlier.by != DEADLINE and _gist(earlier) == _gist(message)
        asked = self.pending.get(message.call)
        if asked is None or not message.approved or asked.hash != message.hash or message.by not in asked.given:
            return False
        return {**asked.arguments, **(message.arguments or {})} == asked.arguments

    def refusal(self, run: str, message: Decide) -> str:
        """Why the decision cannot be taken, or nothing."""
        asked = self.pending.get(message.call)
        if asked is None:
            return f"call {message.call} of run {run} is not waiting for a decision: {self._instead(message.call)}"
        if asked.hash != message.hash:
            return f"call {message.call} of run {run} has other arguments than those decided on: look again"
        if asked.approvers and message.by not in asked.approvers:
            return f"{message.by!r} may not decide about call {message.call}: it is put to {', '.join(asked.approvers)}"
        return _misfit(asked, message)

    def decide(self, message: Decide) -> Petition:
        """Take the decision, which was not refused; the question that it answers."""
        self.decided[message.call] = message
        return self.pending.pop(message.call)

    def note_unknown(self, call: str, waits: bool) -> None:
        """A call of unknown outcome waits, or no longer does."""
        if waits and call not in self.unknown:
            self.unknown.append(call)
        elif not waits and call in self.unknown:
            self.unknown.remove(call)

    def _instead(self, call: str) -> str:
        earlier = self.decided.get(call)
        if earlier is None:
            return "see `choragus approvals`"
        if earlier.by == DEADLINE:
            return f"{earlier.reason}, so it was {'allowed' if earlier.approved else 'denied'}"
        return f"{earlier.by} has {'approved' if earlier.approved else 'denied'} it"


def lapsed(asked: Petition) -> Decide:
    """What is decided when nobody has in time, and nobody is left to ask."""
    return Decide(
        call=asked.subject,
        approved=asked.default == "allow",
        by=DEADLINE,
        hash=asked.hash,
        reason=f"nobody decided within {asked.within:g} s",
        identity={"method": DEADLINE},
    )


def told(asked: Petition, message: Decide) -> Decided:
    """The decision, for the part that asked."""
    return Decided(
        call=asked.subject,
        approved=message.approved,
        by=message.by,
        reason=message.reason,
        arguments=asked.arguments if asked.edited and message.approved else None,
        changed_by=asked.edited if message.approved else "",
        answer=message.answer if message.approved else None,
    )


def _misfit(asked: Petition, message: Decide) -> str:
    """Why this is no decision about that kind of question, or nothing."""
    if message.by == DEADLINE:
        return f"{DEADLINE!r} is no name for a person: sign with another"
    if asked.kind is Kind.QUESTION and message.approved:
        return fault(message.answer, asked.options)
    if message.answer is not None:
        return f"call {message.call} asks for a decision, not for an answer: approve it or deny it"
    if message.arguments and not ((asked.is_call or asked.is_ceiling) and message.approved):
        return f"the arguments of {message.call} cannot be changed: only a call that is approved can have others"
    return ""


def _gist(message: Decide) -> tuple[object, ...]:
    return message.approved, message.hash, message.arguments, message.answer
