"""A ledger's account for one day or month: a durable actor that sets aside before runs spend, and settles after."""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import Parking

from .budget import Budget, Claim
from .control import Draw, Drawn
from .ledger import LEDGER, Ledger, LedgerSummary
from .message import Spend, Verdict
from .service import Services
from .spending import total


@stored("choragus.ledger_state")
@attrs.define
class LedgerState:
    """What is spent, set aside and waited for."""

    budget: Budget = attrs.field(factory=Budget)


class Account(DurableActor[LedgerState, Draw | Spend], name=LEDGER):
    """One ledger in one day or month; its key is `name/period`. Its ceilings are the program's of today."""

    @property
    def stream(self) -> str:
        """Its own logbook."""
        return f"ledger/{self.key}"

    @handle
    def draw(self, message: Draw) -> None:
        """Set aside what fits, refuse what cannot fit, and let wait what may fit when others have settled."""
        budget = self._budget()
        if message.token in budget.queue:
            return
        claim = Claim(token=message.token, most=message.most, asker=message.asker)
        if budget.queue or not self._served(claim):
            budget.queue.put(claim)
        self._show()

    @handle
    def spend(self, message: Spend) -> None:
        """Settle; whoever waits may fit now."""
        budget = self._budget()
        if message.presumed:
            budget.presume(message.token)
        else:
            budget.spend(message.token, message.spent)
        self.log("ledger.spent", token=message.token, cost_usd=message.spent.cost_usd, tokens=message.spent.tokens)
        while budget.queue and self._served(budget.queue.first()):
            budget.queue.pop()
        self._show()

    def on_parked(self, message: object, parking: Parking) -> None:
        """Whoever asked is told: silence would hold the run for ever."""
        if isinstance(message, Draw):
            reason = f"ledger {self.key} failed: {parking.reason}"
            verdict = Verdict(allowed=False, reason=reason, limit=f"ledger {self.key}")
            self.tell_at(ActorId(message.asker), Drawn(token=message.token, verdict=verdict, by=self.id))

    def _budget(self) -> Budget:
        ledger = self._ledger
        if ledger is not None:
            self.state.budget.limits = ledger.limits
        return self.state.budget

    @property
    def _ledger(self) -> Ledger | None:
        services = self.resources
        assert isinstance(services, Services)
        return services.ledgers.get(self.key.partition("/")[0])

    def _served(self, claim: Claim) -> bool:
        """Answer the claim, unless it has to wait."""
        name = self.key.partition("/")[0]
        if self._ledger is None:
            reason = f"ledger {name!r} is not among the runtime's: pass it in Runtime(ledgers=[...])"
            verdict = Verdict(allowed=False, reason=reason, limit=f"ledger {name}")
        else:
            refusal = self.state.budget.room(claim, now=self.now, opened=self.now)
            if refusal is not None and refusal.passes:
                return False
            if refusal is None:
                self.state.budget.set_aside(claim)
                self.log("ledger.reserved", token=claim.token, cost_usd=claim.most.cost_usd, tokens=claim.most.tokens)
                verdict = Verdict(allowed=True)
            else:
                reason = refusal.excess.reason.replace("Limits(", f"Ledger({name!r}, ")
                verdict = Verdict(allowed=False, reason=f"ledger {self.key}: {reason}", limit=f"ledger {name}")
                self.log("ledger.refused", token=claim.token, reason=reason)
        self.tell_at(ActorId(claim.asker), Drawn(token=claim.token, verdict=verdict, by=self.id))
        return True

    def _show(self) -> None:
        name, _, period = self.key.partition("/")
        budget = self.state.budget
        held = total(budget.reserved.values())
        row = LedgerSummary(
            name=name,
            period=period,
            cost_usd=budget.spent.cost_usd,
            tokens=budget.spent.tokens,
            reserved_usd=held.cost_usd,
            reserved_tokens=held.tokens,
            limit_usd=budget.limits.cost_usd,
            limit_tokens=budget.limits.tokens,
            waiting=len(budget.queue),
        )
        self.view("ledger", self.key, attrs.asdict(row))
