"""The guardrail of one run: ceilings reserved before they are spent, policies, and a person before what needs one."""

from __future__ import annotations

import hashlib

import attrs

from choragus.actors.dispatch import handle
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import stored

from .approval import arguments_hash
from .baseline import BASELINE, LearnRun
from .budget import Claim
from .checkpoint import CHECKPOINTS
from .control import Draw, Drawn, Hold, Serve
from .hindsight import Hindsight
from .message import (
    GUARDRAIL,
    TOOL_GATEWAY,
    CallSettled,
    CallWaits,
    Decide,
    JudgeCall,
    JudgeText,
    PetitionDue,
    Reserve,
    RunEnded,
    SetLimits,
    Spend,
    Verdict,
)
from .petition import Kind, Petition
from .plan.message import PutQuestion
from .policy.chain import Ruling
from .policy.check import Check, Past, PastCall, Stage
from .policy.norms import Norms
from .policy.verdict import Allow, Ask, Deny, End, Escalate, Rewrite
from .question import ASKED, asked
from .raising import RaiseLimits, Raising
from .spending import Spent
from .treasury import Purse, call_token

Fields = dict[str, object]


def _in_parts(fields: Fields) -> Fields:
    """Version 1 was flat, and had no questions but calls."""
    budget = ("limits", "started", "spent", "reserved", "waiting_since", "idle", "seen")
    pending = fields["pending"]
    assert isinstance(pending, dict)
    asked = {call: {**one, "subject": call, "kind": "call", "asker": TOOL_GATEWAY} for call, one in pending.items()}
    for one in asked.values():
        del one["call"]
    return {
        "budget": {name: fields[name] for name in budget if name in fields},
        "petitions": {"pending": asked, "decided": fields["decided"], "unknown": fields["unknown"]},
        "over": fields["over"],
    }


@stored("choragus.guardrail_state", version=2, upcasters={1: _in_parts})
@attrs.define
class GuardrailState(Purse):
    """What may be spent, what waits for a person, and the latest calls as far as policies look back.

    `slots` says what the calls of the latest reply have taken of the plan, when a policy follows information.
    """

    hindsight: Hindsight | None = None
    slots: dict[str, str] = attrs.field(factory=dict)


class Guardrail(
    Raising[
        GuardrailState,
        SetLimits
        | Reserve
        | Draw
        | Drawn
        | Spend
        | Serve
        | Hold
        | JudgeCall
        | JudgeText
        | CallSettled
        | Decide
        | PetitionDue
        | CallWaits
        | PutQuestion
        | RaiseLimits
        | RunEnded,
    ],
    name=GUARDRAIL,
):
    """Says what may be spent and what may run. Whoever asks takes silence for no."""

    @handle
    async def judge(self, message: JudgeCall) -> Verdict:
        """Judge a call by the policies; a person decides where they say so, and on what cannot be undone."""
        most = Spent(tool_calls=1, cost_usd=message.cost_usd)
        asker = actor_id(TOOL_GATEWAY, self.key)
        verdict = self.claimed(Claim(token=call_token(message.call), most=most, asker=asker, judge=message))
        if verdict.allowed:
            return await self.ruled_on(message)
        if not verdict.wait:
            self.no_room_for(message, verdict)
        return verdict

    async def ruled_on(self, message: JudgeCall) -> Verdict:
        """What the policies say of a call for which there is room; one that waits for a person keeps its money."""
        chain = self.services.policies(message.agent)
        norms = await self.services.norms(self.key, message.agent) if chain.wants_norms else None
        ruling = chain.rule(await self._check_of_call(message, norms))
        ruled = await self._carry_out(message, ruling)
        self._note_slot(message, ruling, ruled)
        if not ruled.wait or not message.cost_usd:
            used = Spent(tool_calls=1, cost_usd=message.cost_usd if ruled.allowed else 0.0)
            self.settle_claim(call_token(message.call), used, quiet=not message.cost_usd)
        return ruled

    def no_room_for(self, message: JudgeCall, verdict: Verdict) -> None:
        """Take note that a call is refused before the policies look at it."""
        self._log_call(message, "deny", verdict.reason, policy="limits")

    @handle
    async def judge_text(self, message: JudgeText) -> Verdict:
        """Judge what the run is told, says or reads."""
        stage = Stage(message.stage)
        origins = None
        if stage is Stage.OUTPUT:
            origins = await self.services.origins_of_answer(self.key, message.agent, message.upto)
        check = Check(
            stage=stage,
            run=self.key,
            agent=message.agent,
            step=message.step,
            call=message.call,
            tool=message.tool,
            text=message.text,
            is_error=message.is_error,
            past=self._past,
            now=self.now,
            origins=origins,
            spent=self.state.budget.spent,
        )
        ruling = self.services.policies(message.agent).rule(check)
        said = _said(ruling)
        self._hindsight.note_ruling(ruling)
        self.log(
            "text.judged",
            stage=stage.value,
            subject=message.subject,
            verdict=said,
            reason=ruling.verdict.reason,
            policy=ruling.policy,
            version=ruling.version,
            rewritten=ruling.rewritten,
        )
        if said == "wait":
            await self._petition_for_text(message, ruling)
        text = ruling.check.text if ruling.rewritten else None
        sources = () if origins is None else tuple(sorted(origins.decision.label.sources))
        return attrs.evolve(self._answer(ruling, said, text=text), sources=sources)

    @handle
    def settled(self, message: CallSettled) -> None:
        """A call has ended: what policies look back on."""
        most = self.services.policies(message.agent).looks_back
        ended = PastCall(
            call=message.call,
            tool=message.tool,
            arguments=message.arguments,
            result=message.result,
            is_error=message.is_error,
            at=self.now,
        )
        self.state.past = [*self.state.past, ended][-most:] if most else []
        self._hindsight.end(message.call, message.tool, ran=bool(message.result))

    @handle
    def ended(self, message: RunEnded) -> None:
        """Nothing waits any longer, and nothing is allowed any more."""
        self.drop_petitions()
        if message.completed and not self.state.over and self.services.policies(message.agent).wants_norms:
            self._teach(message.agent)
        self.close_budget()
        self.state.over = True

    def _teach(self, agent: str) -> None:
        """Let later runs of this version know what this one did."""
        spent = self.state.budget.spent
        learnt = LearnRun(run=self.key, figures=self._hindsight.figures, steps=spent.steps, cost_usd=spent.cost_usd)
        self.tell_at(actor_id(BASELINE, self.services.manifest(agent).hash), learnt)

    # Judging.

    @property
    def _hindsight(self) -> Hindsight:
        """Made when a policy is there that may want it."""
        if self.state.hindsight is None:
            self.state.hindsight = Hindsight()
        return self.state.hindsight

    @property
    def _past(self) -> Past:
        seen = self.state.hindsight or Hindsight()
        return Past(tuple(self.state.past), tuple(seen.running), seen.objections)

    async def _check_of_call(self, message: JudgeCall, norms: Norms | None) -> Check:
        taken = [slot for call, slot in self.state.slots.items() if _step(call) == _step(message.call)]
        origins = await self.services.origins_of_call(self.key, message, taken)
        return Check(
            stage=Stage.CALL,
            run=self.key,
            agent=message.agent,
            step=message.step,
            call=message.call,
            tool=message.tool,
            risk=message.risk,
            arguments=message.arguments,
            text=message.reason,
            past=self._past,
            now=self.now,
            origins=origins,
            spent=self.state.budget.spent,
            norms=norms,
            planned=await self.services.planned(self.key, message),
        )

    def _note_slot(self, message: JudgeCall, ruling: Ruling, verdict: Verdict) -> None:
        """Keep what calls of this reply take of the plan: the next one is judged before their results are there."""
        origins = ruling.check.origins
        if origins is not None and origins.slot and (verdict.allowed or verdict.wait):
            same = {call: slot for call, slot in self.state.slots.items() if _step(call) == _step(message.call)}
            self.state.slots = {**same, message.call: origins.slot}

    async def _carry_out(self, message: JudgeCall, ruling: Ruling) -> Verdict:
        said = _said(ruling)
        if said == "allow" and self.services.asks(message.agent, message.tool):
            said = "wait"
        arguments = dict(ruling.check.arguments)
        chain = self.services.policies(message.agent)
        if chain.policies:
            self._hindsight.note_ruling(ruling)
        if chain.policies and said != "deny":
            self._hindsight.begin(chain, message.call, message.tool, arguments, self.now)
        changed = arguments != message.arguments
        self._log_call(message, said, ruling.verdict.reason, policy=ruling.policy, version=ruling.version)
        if changed and said != "deny":
            self.log("call.rewritten", call=message.call, arguments=arguments, policies=ruling.rewritten)
            if reason := self.services.fault(message.agent, message.tool, arguments):
                return Verdict(allowed=False, reason=f"rewritten by {', '.join(ruling.rewritten)}: {reason}")
        if said == "wait":
            await self._petition_for_call(message, arguments, ruling)
        return self._answer(ruling, said, arguments=arguments if changed else None)

    def _answer(
        self, ruling: Ruling, said: str, *, arguments: dict[str, object] | None = None, text: str | None = None
    ) -> Verdict:
        return Verdict(
            allowed=said == "allow",
            reason=ruling.verdict.reason,
            wait=said == "wait",
            ends=isinstance(ruling.verdict, End),
            arguments=arguments,
            text=text,
        )

    def _log_call(self, message: JudgeCall, said: str, reason: str, *, policy: str, version: str = "1") -> None:
        self.log(
            "call.judged",
            call=message.call,
            tool=message.tool,
            verdict=said,
            reason=reason,
            policy=policy,
            version=version,
        )

    # A person decides.

    async def _petition_for_call(self, message: JudgeCall, arguments: dict[str, object], ruling: Ruling) -> None:
        is_question = self.services.asks(message.agent, message.tool)
        text, options = asked(arguments) if is_question else ("", ())
        await self.petition(
            Petition(
                subject=message.call,
                kind=Kind.QUESTION if is_question else _kind(ruling),
                asker=TOOL_GATEWAY,
                agent=message.agent,
                tool=message.tool,
                risk=message.risk,
                arguments=arguments,
                hash=arguments_hash(self.key, message.call, message.tool, arguments),
                reason=ASKED if is_question and isinstance(ruling.verdict, Allow) else ruling.verdict.reason,
                approvers=_approvers(ruling),
                step=message.step,
                said=message.reason,
                text=text,
                options=options,
                origins=ruling.check.origins.told() if ruling.check.origins is not None else {},
                level=_level(ruling),
            )
        )

    async def _petition_for_text(self, message: JudgeText, ruling: Ruling) -> None:
        text = ruling.check.text
        await self.petition(
            Petition(
                subject=message.subject,
                kind=Kind.ESCALATION if isinstance(ruling.verdict, Escalate) else Kind.CHECKPOINT,
                asker=message.asker,
                agent=message.agent,
                text=text,
                hash=hashlib.sha256(f"{self.key}/{message.subject}/{text}".encode()).hexdigest(),
                reason=ruling.verdict.reason,
                approvers=_approvers(ruling),
                step=message.step,
                level=_level(ruling),
            )
        )


def _step(call: str) -> str:
    return call.partition(".")[0]


def _said(ruling: Ruling) -> str:
    """The ruling in one word: allow, deny or wait."""
    match ruling.verdict:
        case Allow() | Rewrite():
            return "allow"
        case Ask() | Escalate():
            return "wait"
        case Deny() | End():
            return "deny"


def _kind(ruling: Ruling) -> Kind:
    """What is asked about a call."""
    if isinstance(ruling.verdict, Escalate):
        return Kind.ESCALATION
    return Kind.CHECKPOINT if ruling.policy == CHECKPOINTS else Kind.CALL


def _approvers(ruling: Ruling) -> tuple[str, ...]:
    return ruling.verdict.approvers if isinstance(ruling.verdict, Ask | Escalate) else ()


def _level(ruling: Ruling) -> int:
    """Where in the chain of approvers a question begins: what a policy escalates, behind the first group."""
    return 1 if isinstance(ruling.verdict, Escalate) and not ruling.verdict.approvers else 0
