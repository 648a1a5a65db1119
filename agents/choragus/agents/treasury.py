"""How the guardrail spends: set aside before, settled after, in its own run and in every account above it.

A claim passes the run's own ceilings, then those of the run that it is a sub-run of, and so on up to the ledgers. What
is set aside on the way is given back when one of them refuses. Claims that will fit later wait, in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.mailbox.address import ActorId, actor_id

from .answers import CEILING
from .approval import arguments_hash
from .budget import Budget, Claim, Refusal
from .ceiling import proposal
from .control import CallJudged, Draw, Drawn, Hold, LimitsRaised, Serve
from .decision import Deciding
from .errors import LimitFault
from .ledger import account
from .message import GUARDRAIL, ORCHESTRATOR, TOOL_GATEWAY, Decide, JudgeCall, Reserve, SetLimits, Spend, Verdict
from .petition import Kind, Petition, Petitions
from .policy.check import PastCall
from .spending import NOTHING, Excess, Spent


@attrs.define(kw_only=True)
class Ascent:
    """A claim on its way up: the accounts that have granted it, and those that have not been asked."""

    claim: Claim
    granted: list[ActorId] = attrs.field(factory=list)
    ahead: list[ActorId] = attrs.field(factory=list)


@attrs.define
class Purse:
    """What the spending of a run stands on. `above` are the accounts that have granted what is set aside, by token."""

    budget: Budget = attrs.field(factory=Budget)
    petitions: Petitions = attrs.field(factory=Petitions)
    over: bool = False
    agent: str = ""
    parent: str = ""
    ledgers: tuple[str, ...] = ()
    ascents: dict[str, Ascent] = attrs.field(factory=dict)
    above: dict[str, list[ActorId]] = attrs.field(factory=dict)
    asked: int = 0
    paused: bool = False
    past: list[PastCall] = attrs.field(factory=list)


P = TypeVar("P", bound=Purse)


class Treasury(Deciding[P, M]):
    """The spending half of the guardrail."""

    @handle
    def set_limits(self, message: SetLimits) -> None:
        """The run begins."""
        self.state.budget.begin(message.limits, message.started)
        state = self.state
        state.agent, state.parent, state.ledgers = message.agent, message.parent, message.ledgers

    @handle
    def reserve(self, message: Reserve) -> Verdict:
        """Set a budget aside, if it fits into every ceiling beside what is spent and set aside already."""
        claim = Claim(
            token=message.token, most=message.most, asker=message.asker, keep=message.keep, final=message.final
        )
        return self.claimed(claim)

    @handle
    async def draw(self, message: Draw) -> None:
        """The same for a sub-run."""
        claim = Claim(token=message.token, most=message.most, asker=message.asker, final=message.final)
        verdict = self.claimed(claim)
        if not verdict.wait:
            await self._tell_claimant(claim, verdict)

    @handle
    async def drawn(self, message: Drawn) -> None:
        """An account above has granted a claim, or has not."""
        token = message.token.removeprefix(f"{self.key}/")
        ascent = self.state.ascents.get(token)
        if ascent is None or self.state.over:
            self.state.ascents.pop(token, None)
            if message.verdict.allowed:
                self.tell_at(ActorId(message.by), Spend(token=message.token, spent=NOTHING))
        elif message.verdict.allowed:
            ascent.granted.append(ActorId(message.by))
            if ascent.ahead:
                self._ask_next(ascent)
                return
            del self.state.ascents[token]
            self.state.above[token] = ascent.granted
            await self._tell_claimant(ascent.claim, message.verdict)
            await self._serve()  # a call that is judged has settled, and others may wait for what it had set aside
        else:
            above = f"{message.by}: {message.verdict.reason}"
            await self._sent_down(ascent, Excess(message.by, above))

    @handle
    async def spend(self, message: Spend) -> None:
        """What was set aside is spent, or given back."""
        self.settle_claim(message.token, message.spent, presumed=message.presumed)
        await self._serve()

    @handle
    async def serve(self, message: Serve) -> None:
        """There may be room."""
        await self._serve()

    @handle
    def hold(self, message: Hold) -> None:
        """The time in which a run is paused is not active."""
        self.state.paused = message.paused
        self.clock()

    def claimed(self, claim: Claim) -> Verdict:
        """Whether it is set aside, or is not, or waits: then `asker` is told later. The same again changes nothing."""
        state = self.state
        if state.over:
            return Verdict(allowed=False, reason=f"run {self.key} has ended")
        if claim.token in state.ascents or claim.token in state.budget.queue:
            return Verdict(allowed=False, wait=True)
        if state.budget.queue and claim.asker and claim.token not in state.budget.reserved:
            state.budget.queue.put(claim)
            return Verdict(allowed=False, wait=True, reason="others wait for room before it")
        verdict = self._tried(claim)
        if verdict is None:
            state.budget.queue.put(claim)
            return Verdict(allowed=False, wait=True, reason="it waits for room")
        return verdict

    def settle_claim(self, token: str, spent: Spent, *, presumed: bool = False, quiet: bool = False) -> None:
        """Count what a claim has come to, here and above; what is `quiet` is in the logbook already."""
        state = self.state
        most = state.budget.reserved.get(token)
        if presumed and most is not None:
            spent = state.budget.presume(token)
            change = spent
            self.log("budget.presumed", token=token, **spent.as_dict())
        else:
            change = state.budget.spend(token, spent)
            if not quiet:
                self.log("budget.spent", token=token, **spent.as_dict())
            if most is not None and (more := spent.over(most)):
                self.log("budget.overrun", token=token, **more)
        above = state.above.pop(token, None)
        if above is None and state.parent and not change.is_nothing:
            above = [actor_id(GUARDRAIL, state.parent)]
        if presumed and above:
            state.above[token] = above  # in case somebody knows better
        for one in above or ():
            self.tell_at(one, Spend(token=f"{self.key}/{token}", spent=spent, presumed=presumed))

    def close_budget(self) -> None:
        """The run is over: what it has set aside is settled, but what sub-runs have is theirs to settle."""
        budget = self.state.budget
        while budget.queue:
            claim = budget.queue.pop()
            if claim.judge is None:
                self._tell(claim, Verdict(allowed=False, reason=f"run {self.key} has ended"))
        for token in [one for one in budget.reserved if "/" not in one]:
            most = budget.reserved[token]
            if token in self.state.ascents or not (most.steps or most.tokens):
                self._give_back(token)
            else:
                self.settle_claim(token, NOTHING, presumed=True)

    # What the guardrail's other half says.

    async def ruled_on(self, message: JudgeCall) -> Verdict:
        """What the policies say of a call for which there is room."""
        raise NotImplementedError

    def no_room_for(self, message: JudgeCall, verdict: Verdict) -> None:
        """Take note that a call is refused before the policies look at it."""
        raise NotImplementedError

    # Room.

    def _tried(self, claim: Claim) -> Verdict | None:
        """What becomes of a claim now; None: it waits in the queue."""
        budget = self.state.budget
        refusal = budget.room(claim, now=self.now, opened=self.services.opened)
        if refusal is not None:
            return self._no_room(claim, refusal)
        budget.set_aside(claim)
        self.log("budget.reserved", token=claim.token, **claim.most.as_dict())
        ahead = self._accounts(claim)
        if not ahead:
            return Verdict(allowed=True)
        self.state.ascents[claim.token] = ascent = Ascent(claim=claim, ahead=ahead)
        self._ask_next(ascent)
        return Verdict(allowed=False, wait=True, reason="the accounts above are asked")

    def _no_room(self, claim: Claim, refusal: Refusal) -> Verdict | None:
        if refusal.passes and claim.asker:
            return None
        return self._at_ceiling(claim, refusal.excess)

    def _at_ceiling(self, claim: Claim, excess: Excess) -> Verdict | None:
        """There will be no room for the claim unless a person makes some."""
        if self._asked_already():
            return None
        self.log("limit.reached", token=claim.token, limit=excess.ceiling, reason=excess.reason)
        policy = self.state.budget.limits.policy(excess.ceiling)
        if claim.asker and not claim.final and policy in ("ask", "escalate"):
            self._ask_to_raise(claim, excess, Kind.ESCALATION if policy == "escalate" else Kind.CEILING)
            return None
        return Verdict(allowed=False, reason=excess.reason, limit=excess.ceiling)

    async def _serve(self) -> None:
        """Room may have come: who waits is served in order, as far as it goes. At a ceiling all wait for a person."""
        queue = self.state.budget.queue
        while queue and not self.state.over and not self._asked_already():
            claim = queue.first()
            verdict = self._tried(claim)
            if verdict is None:
                return
            queue.pop()
            if not verdict.wait:
                await self._tell_claimant(claim, verdict)

    async def _tell_claimant(self, claim: Claim, verdict: Verdict) -> None:
        """Tell whoever waited for it; a call that there is room for is judged first."""
        if claim.judge is not None and verdict.allowed:
            ruled = await self.ruled_on(claim.judge)
            self.tell(TOOL_GATEWAY, CallJudged(call=claim.judge.call, verdict=ruled))
        else:
            self._tell(claim, verdict)

    def _tell(self, claim: Claim, verdict: Verdict) -> None:
        if claim.judge is not None:
            self.no_room_for(claim.judge, verdict)
            self.tell(TOOL_GATEWAY, CallJudged(call=claim.judge.call, verdict=verdict))
        elif claim.asker:
            self.tell_at(ActorId(claim.asker), Drawn(token=claim.token, verdict=verdict, by=self.id))

    # The accounts above.

    def _accounts(self, claim: Claim) -> list[ActorId]:
        state = self.state
        if state.parent:
            return [actor_id(GUARDRAIL, state.parent)]
        if not (claim.most.tokens or claim.most.cost_usd):
            return []
        return [account(name, self.services.ledgers.get(name), self.now) for name in sorted(state.ledgers)]

    def _ask_next(self, ascent: Ascent) -> None:
        """Ask the next account above."""
        claim = ascent.claim
        asked = Draw(token=f"{self.key}/{claim.token}", most=claim.most, asker=self.id, final=claim.final)
        self.tell_at(ascent.ahead.pop(0), asked)

    async def _sent_down(self, ascent: Ascent, excess: Excess) -> None:
        claim = ascent.claim
        self._give_back(claim.token)
        answer = self._at_ceiling(claim, excess)
        if answer is None:
            self.state.budget.queue.put(claim, at=0)
        else:
            await self._tell_claimant(claim, answer)
        await self._serve()

    def _give_back(self, token: str) -> None:
        """The claim has come to nothing."""
        ascent = self.state.ascents.pop(token, None)
        self.state.budget.put_back(token, ascent.claim if ascent else None)
        for one in ascent.granted if ascent else self.state.above.pop(token, ()):
            self.tell_at(one, Spend(token=f"{self.key}/{token}", spent=NOTHING))

    # A person at the ceiling.

    def _asked_already(self) -> bool:
        return any(subject.startswith(CEILING) for subject in self.state.petitions.pending)

    def _ask_to_raise(self, claim: Claim, excess: Excess, kind: Kind) -> None:
        state = self.state
        state.asked += 1
        subject = f"{CEILING}{state.asked}"
        arguments = proposal(state.budget, claim, excess.ceiling)
        tool = "raise_limit" if arguments else "try_again"
        self.put_to_people(
            Petition(
                subject=subject,
                kind=kind,
                asker=GUARDRAIL,
                agent=state.agent,
                tool=tool,
                level=1 if kind is Kind.ESCALATION else 0,
                arguments=arguments,
                hash=arguments_hash(self.key, subject, tool, arguments),
                reason=excess.reason,
                step=state.budget.spent.steps,
            )
        )

    def ceiling_fault(self, arguments: Mapping[str, object]) -> str:
        """Why the ceilings cannot be raised to these, or nothing."""
        try:
            self.state.budget.limits.raised(arguments)
        except LimitFault as fault:
            return str(fault)
        return ""

    def ceiling_decided(self, asked: Petition, message: Decide) -> None:
        """A person has raised a ceiling, or has not: whoever waits at it goes on, or is refused."""
        budget = self.state.budget
        if message.approved:
            budget.limits = budget.limits.raised(asked.arguments)
            self.log("limit.raised", by=message.by, reason=message.reason, limits=asked.arguments)
            self.tell(ORCHESTRATOR, LimitsRaised(limits=budget.limits))
        elif budget.queue:
            why = f": {message.reason}" if message.reason else ""
            reason = f"{asked.reason}; {message.by} did not raise it{why}"
            self._tell(budget.queue.pop(), Verdict(allowed=False, reason=reason, limit="denied"))
        self.tell(GUARDRAIL, Serve())

    def call_decided(self, call: str, approved: bool) -> None:
        """A call that costs something was decided on: it is paid for, or its money is free again."""
        token = call_token(call)
        held = self.state.budget.reserved.get(token)
        if held is not None:
            self.settle_claim(token, held if approved else Spent(tool_calls=1))
            self.tell(GUARDRAIL, Serve())


def call_token(call: str) -> str:
    """The name of what is set aside for a tool call."""
    return f"call-{call}"
