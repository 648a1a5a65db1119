"""How a memory brings the context of a step about: what is looked up, what is decided, what is summarised.

Each decision is written in the turn that made it. What takes a model or a retriever is an effect, and the step waits
for it; when it fails, the step goes on without it.
"""

from __future__ import annotations

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import EffectFailed
from choragus.agents.control import Hold
from choragus.agents.message import ORCHESTRATOR, Perceived, RunEnded
from choragus.mailbox.turn import OnInterrupt

from .assembly import assemble
from .condensing import Condensing, S
from .deciding import Outcome, decide
from .decision import Edited, Fetched, InHand
from .errand import CallRetrieve, RetrieveDone
from .framing import is_same
from .option import Context
from .sharing import shared_text
from .work import Doing, Work
from .working import Working

MOST_RATIO = 4.0
"""Tokens for each estimated one that are believed at most."""

QUERY = 2_000
"""Characters that a retriever is asked for at most."""


class Compacting(Condensing[S, M]):
    """What of the memory assembles contexts that have a budget."""

    @reply
    async def fetched(self, found: RetrieveDone | EffectFailed) -> None:
        """A retriever has answered, or has failed: then nothing was found."""
        work = self.waiting(Doing.RETRIEVE)
        if work is None:
            return
        context = self._context(work)
        if isinstance(found, EffectFailed):
            found = RetrieveDone(error=f"{found.error}: {found.reason}")
        retrieval = context.retrieve[work.retrieved]
        by, step = retrieval.retriever.name, work.step
        decision = Fetched(
            step=step,
            upto=self.state.length,
            index=work.retrieved,
            by=by,
            section=retrieval.section,
            items=found.items,
        )
        scores = [{"source": item.source, "score": item.score} for item in found.items]
        error = {"error": found.error} if found.error else {}
        self.log("memory.retrieved", step=step, by=by, section=retrieval.section, found=scores, **error)
        working = await self.working()
        self.note(decision)
        work.retrieved, work.doing, work.effect, work.token = work.retrieved + 1, Doing.NOTHING, "", ""
        await self.assemble(working.decided(decision))

    @handle
    async def hold(self, message: Hold) -> None:
        """Begin nothing while the run is paused; what is under way ends, and is kept."""
        self.state.paused = message.paused
        work = self.state.work
        if work is not None and work.held and not message.paused:
            work.held = False
            await self.assemble(await self.working())

    @handle
    def ended(self, message: RunEnded) -> None:
        """Nothing is assembled any more."""
        self.state.over = True
        work, self.state.work = self.state.work, None
        if work is not None and work.effect:
            self.cancel_effect(work.effect)
        if work is not None and not work.spent.is_nothing:
            self.tell_spent(work.spent)
        self.cancel_timer("summary")

    async def assemble(self, working: Working) -> None:
        """Go on with the context of the step in hand, as far as it goes by itself."""
        work = self.state.work
        assert work is not None
        context = self._context(work)
        around = self.services.frame(work.scope, step=work.step, upto=self.state.length)
        if not is_same(working.frame, around):
            self.note(around)
            working = working.decided(around)
        if work.scope.in_hand != working.in_hand:
            told = InHand(step=work.step, upto=self.state.length, position=work.scope.in_hand)
            self.note(told)
            working = working.decided(told)
        if self._looks(work, context, working):
            return
        working = await self._shared(work, context, working)
        outcome = decide(context, working, step=work.step, ratio=self.state.ratio, first=work.first)
        self._tell_compacted(outcome, working)
        for decision in outcome.decisions:
            self.note(decision)
        if outcome.summary is not None:
            await self.summarise(work, outcome.summary, outcome.working)
        else:
            self._finish(work, context, outcome)

    def calibrate(self, heard: int) -> None:
        """Take note of how many tokens the model has counted where so many were estimated."""
        if heard and self.state.estimate:
            self.state.ratio = max(self.state.ratio, min(heard / self.state.estimate, MOST_RATIO))

    async def _shared(self, work: Work, context: Context, working: Working) -> Working:
        """With what other runs, and this one, have written into the blocks that are shared."""
        for block in context.blocks:
            there = await shared_text(self.services.store, work.scope.agent, block.label) if block.shared else None
            before = working.blocks.get(block.label)
            if there is None or (before is not None and there.number <= before.number):
                continue
            decision = Edited(
                step=work.step,
                upto=self.state.length,
                label=block.label,
                text=there.text[: block.limit],
                call=there.by,
                labels=there.labels,
                number=there.number,
                answer="",
            )
            self.note(decision)
            working = working.decided(decision)
        return working

    # What is looked up.

    def _looks(self, work: Work, context: Context, working: Working) -> bool:
        """Ask the next retriever whose turn it is."""
        while work.retrieved < len(context.retrieve):
            before = working.found.get(work.retrieved)
            each_time = context.retrieve[work.retrieved].when == "step"
            if before is None or (each_time and before.step != work.step):
                break
            work.retrieved += 1
        else:
            return False
        if self.state.paused:
            work.held = True
            return True
        query = _query(work, working, goal=context.retrieve[work.retrieved].when == "start")
        asked = CallRetrieve(run=self.key, agent=work.scope.agent, index=work.retrieved, query=query)
        work.doing, work.token = Doing.RETRIEVE, f"retrieve-{work.step}.{work.retrieved + 1}"
        work.effect = self.effect(
            "retrieve", asked, then=self.fetched, on_interrupt=OnInterrupt.RERUN, about=work.token
        )
        return True

    # What is written down.

    def _finish(self, work: Work, context: Context, outcome: Outcome) -> None:
        state, self.state.work = self.state, None
        state.estimate = outcome.assembled.tokens
        if outcome.excess:
            self.log("limit.reached", token=f"step-{work.step}", limit="context", reason=outcome.excess)
        self.log(
            "memory.assembled",
            step=work.step,
            messages=state.length,
            context=state.version,
            tokens=outcome.tokens,
            budget=context.budget_tokens,
            shown=len(outcome.working.items),
        )
        told = Perceived(work.step, state.length, state.version, work.spent, outcome.excess)
        self.tell(ORCHESTRATOR, told)

    def _tell_compacted(self, outcome: Outcome, working: Working) -> None:
        for decision in outcome.decisions:
            then = working.decided(decision)
            told = {
                name: value for name, value in attrs.asdict(decision).items() if name in ("ranges", "positions", "to")
            }
            by: str = getattr(decision, "by", "")
            self.log_compacted(by, assemble(working).tokens, assemble(then).tokens, **told)
            working = then

    def _context(self, work: Work) -> Context:
        context = self.services.agent(work.scope.agent).context
        if context is None:
            raise LookupError(f"agent {work.scope.agent!r} has no context any more, and run {self.key} began with one")
        return context


def _query(work: Work, working: Working, *, goal: bool) -> str:
    said = next((item.message.text for item in reversed(working.items) if item.message.role != "tool"), "")
    return (work.scope.goal if goal or not said else said)[:QUERY]
