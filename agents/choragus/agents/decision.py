"""The guardrail's part in which a person decides: what is put to people, and what becomes of their answers."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed
from choragus.mailbox.address import actor_id

from .approval import approval_id, arguments_hash
from .approver import Approvals
from .attention import of_approval
from .budget import Budget
from .message import ORCHESTRATOR, CallWaits, Decide, Decided, PetitionDue
from .part import Part
from .petition import Kind, Petition, Petitions, lapsed, told
from .plan.message import PutQuestion
from .policy.check import Check, Past, PastCall, Stage
from .policy.verdict import Ask, Deny, End, Escalate
from .rulebook import MAIN, RULEBOOK, RuleUsed, UseRule
from .sender import from_outside


class Guarded(Protocol):
    """What is read and changed of the guardrail's state."""

    budget: Budget
    petitions: Petitions
    past: list[PastCall]
    paused: bool


S = TypeVar("S", bound=Guarded)

CLOSE = 0.001
"""Seconds by which a timer may ring too early, for sums of times are rounded."""


class Deciding(Part[S, M], Generic[S, M]):
    """Puts questions to people, and takes their decisions: from the host and from visitors, never from another actor.

    Who they are is the application's word: `by` is what it says, `identity` how it came to know.
    """

    @handle
    def decide(self, message: Decide) -> str:
        """Take a person's decision, if it is about what they saw. The same decision again changes nothing."""
        petitions = self.state.petitions
        if petitions.is_decided_so(message):
            return ""
        asked = petitions.pending.get(message.call)
        while asked is not None and asked.due and self.now >= asked.due:
            self._lapse(asked)
            asked = petitions.pending.get(message.call)
        refusal = self._stranger() or petitions.refusal(self.key, message)
        arguments: dict[str, object] | None = None
        if asked is not None and not refusal and message.arguments:
            arguments = {**asked.arguments, **message.arguments}
            refusal = self._objection(asked, arguments, message.by)
        if asked is None or refusal:
            self._refused(message, refusal)
            return refusal
        self._count(asked, message, arguments)
        return ""

    @handle
    def due(self, message: PetitionDue) -> None:
        """Nobody has decided in time."""
        asked = self.state.petitions.pending.get(message.call)
        if asked is not None and asked.level == message.level and asked.due and self.now >= asked.due - CLOSE:
            self._lapse(asked)

    @handle
    def waits(self, message: CallWaits) -> None:
        """A call of unknown outcome waits for a person too, or no longer does."""
        self.state.petitions.note_unknown(message.call, bool(message.reason))
        self.clock()

    @handle
    async def put_question(self, message: PutQuestion) -> None:
        """Have a person say how a step of the plan came out, or what becomes of it; only the orchestrator asks so."""
        if not self.hears(ORCHESTRATOR):
            return
        hash = hashlib.sha256(f"{self.key}/{message.subject}/{message.text}".encode()).hexdigest()
        asked = Petition(
            subject=message.subject,
            kind=Kind.QUESTION,
            asker=ORCHESTRATOR,
            agent=message.agent,
            step=message.step,
            text=message.text,
            options=message.options,
            approvers=message.approvers,
            reason=message.why,
            hash=hash,
        )
        await self.petition(asked)

    async def petition(self, asked: Petition) -> None:
        """Put a question to people, unless a standing rule answers it: one person's word, where one is enough."""
        who = self._approvals(asked)
        if asked.kind is not Kind.CALL or who.quorum > 1 or not await self.services.has_rules(asked.tool):
            self.put_to_people(asked)
            return
        self.state.petitions.ruled[asked.subject] = asked
        use = UseRule(
            run=self.key,
            call=asked.subject,
            agent=asked.agent,
            tool=asked.tool,
            arguments=asked.arguments,
            approvers=asked.approvers or who.group(0),
        )
        self.ask_at(actor_id(RULEBOOK, MAIN), use, then=self.ruled, about=asked.subject)

    @reply
    def ruled(self, used: RuleUsed | AskFailed) -> None:
        """A standing rule covers the call, or none does."""
        asked = self.state.petitions.ruled.pop(self.about, None)
        if asked is None:
            return
        if isinstance(used, AskFailed) or not used.rule:
            self.put_to_people(asked)
            return
        self.log(
            "approval.ruled",
            call=asked.subject,
            tool=asked.tool,
            arguments=asked.arguments,
            hash=asked.hash,
            rule=used.rule,
            by=used.by,
            left=used.left,
        )
        self.call_decided(asked.subject, True)
        reason = f"standing rule {used.rule}"
        self.tell(asked.asker, Decided(call=asked.subject, approved=True, by=used.by, reason=reason))

    def put_to_people(self, asked: Petition) -> None:
        """Ask them, whatever the standing rules say."""
        asked.asked, asked.cost_usd = self.now, self.state.budget.spent.cost_usd
        asked.ask(self._approvals(asked), self.now)
        self.state.petitions.pending[asked.subject] = asked
        self.clock()
        self._announce(asked, "approval.requested")
        self.tell(ORCHESTRATOR, CallWaits(call=asked.subject, reason=_waits_for(asked)))
        self._turn.after_commit(lambda: self.services.rest(self.key))

    def drop_petitions(self) -> None:
        """Nothing waits any longer."""
        for asked in self.state.petitions.pending.values():
            self._close(asked)
        self.state.petitions.pending, self.state.petitions.ruled = {}, {}

    def ceiling_fault(self, arguments: Mapping[str, object]) -> str:
        """Why the ceilings cannot be raised to these, or nothing."""
        raise NotImplementedError

    def ceiling_decided(self, asked: Petition, message: Decide) -> None:
        """A person has raised a ceiling, or has not."""
        raise NotImplementedError

    def call_decided(self, call: str, approved: bool) -> None:
        """A person has decided about a call, for which money may be set aside."""
        raise NotImplementedError

    def _stranger(self) -> str:
        """Why nothing that this sender says is a person's decision, or nothing."""
        if from_outside(self._turn.sender):
            return ""
        return f"{self._turn.sender} is an actor, and only people decide: through the runtime, or the command line"

    def _objection(self, asked: Petition, arguments: dict[str, object], by: str) -> str:
        """Why the call must not run with these arguments though that person wants it, or nothing."""
        if asked.is_ceiling:
            return self.ceiling_fault(arguments)
        if fault := self.services.fault(asked.agent, asked.tool, arguments):
            return fault
        check = Check(
            stage=Stage.CALL,
            run=self.key,
            agent=asked.agent,
            step=asked.step,
            call=asked.subject,
            tool=asked.tool,
            risk=asked.risk,
            arguments=arguments,
            text=asked.said,
            past=Past(tuple(self.state.past)),
            now=self.now,
            spent=self.state.budget.spent,
        )
        ruling = self.services.policies(asked.agent).rule(check)
        if ruling.rewritten:
            return f"{', '.join(ruling.rewritten)} would change these arguments again: give others"
        match ruling.verdict:
            case Deny(reason) | End(reason):
                return f"{ruling.policy} denies these arguments: {reason}"
            case Ask(reason, approvers) | Escalate(reason, approvers) if approvers and by not in approvers:
                return f"{by!r} may not decide about these arguments ({reason}): only {', '.join(approvers)} may"
            case _:
                return ""

    def _refused(self, message: Decide, reason: str) -> None:
        self.log(
            "approval.refused",
            call=message.call,
            by=message.by,
            hash=message.hash,
            reason=reason,
            identity=message.identity,
            sender=self._turn.sender,
        )

    def _count(self, asked: Petition, message: Decide, arguments: dict[str, object] | None) -> None:
        """One more voice, for other arguments perhaps; decide if that is enough."""
        seen = asked.hash
        if arguments is not None and arguments != asked.arguments:
            hash = arguments_hash(self.key, asked.subject, asked.tool, arguments)
            asked.change(arguments, hash, message.by)
        if message.approved:
            asked.given = (*asked.given, message.by)
        if not message.approved or len(asked.given) >= asked.quorum:
            self._decided(asked, message, seen)
            return
        by = {"by": message.by, "identity": message.identity, "reason": message.reason, "seen": message.seen}
        self._announce(asked, "approval.counted", saw=seen, was=asked.original or asked.arguments, **by)

    def _decided(self, asked: Petition, message: Decide, seen: str) -> None:
        self.state.petitions.decide(message)
        self.clock()
        self._close(asked)
        edit = {"arguments": asked.arguments, "was": asked.original, "bound": asked.hash, "changed_by": asked.edited}
        self.log(
            "approval.decided",
            call=asked.subject,
            tool=asked.tool,
            approved=message.approved,
            by=message.by,
            reason=message.reason,
            hash=seen,
            seen=message.seen,
            identity=message.identity,
            **(edit if asked.edited and message.approved else {}),
            **({"answer": message.answer} if message.answer is not None else {}),
            **({"given": asked.given} if asked.quorum > 1 else {}),
        )
        self.tell(ORCHESTRATOR, CallWaits(call=asked.subject))
        if asked.is_ceiling:
            self.ceiling_decided(asked, message)
            return
        self.call_decided(message.call, message.approved)
        self.tell(asked.asker, told(asked, message))

    def _lapse(self, asked: Petition) -> None:
        """The time is up."""
        if asked.default != "escalate" or not self._approvals(asked).has_next(asked.level):
            self._decided(asked, lapsed(asked), asked.hash)
            return
        asked.level += 1
        before = asked.approvers
        asked.ask(self._approvals(asked), self.now)
        self._announce(asked, "approval.escalated", before=before)

    def _announce(self, asked: Petition, kind: str, **fields: object) -> None:
        """Show it as it stands now, and set its time."""
        shown = asked.shown(self.key)
        body = attrs.asdict(shown, filter=lambda field, _: field.name != "desk")
        self.view("approval", shown.id, body, scope=self.key, sort=asked.asked)
        told = {name: value for name, value in body.items() if name not in ("id", "run", "asked")}
        self.log(kind, approval=shown.id, **{**told, **fields})
        if kind != "approval.counted":
            self.announce(of_approval(shown))
        if asked.due:
            self.timer(_timer(asked), PetitionDue(asked.subject, asked.level), after=asked.due - self.now)

    def _close(self, asked: Petition) -> None:
        self.view("approval", approval_id(self.key, asked.subject), None)
        if asked.due:
            self.cancel_timer(_timer(asked))

    def _approvals(self, asked: Petition) -> Approvals:
        return self.services.approvals(asked.agent)

    def clock(self) -> None:
        """Take note whether anybody works on the run."""
        self.state.budget.clock(
            self.state.petitions.waits or self.state.paused, now=self.now, opened=self.services.opened
        )


def _timer(asked: Petition) -> str:
    return f"due-{asked.subject}"


def _waits_for(asked: Petition) -> str:
    return "answer" if asked.kind is Kind.QUESTION else "approval"
