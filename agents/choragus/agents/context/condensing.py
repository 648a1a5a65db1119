"""How a memory has a model write down what the older lines say: paid for, tried again, or done without."""

from __future__ import annotations

import hashlib
from typing import Generic, TypeVar

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed
from choragus.agents.control import Drawn
from choragus.agents.errand import ModelFailed, ModelReplied
from choragus.agents.message import GUARDRAIL, ORCHESTRATOR, Perceived, Reserve, Spend, Verdict
from choragus.agents.model import Usage, bound
from choragus.agents.part import Part
from choragus.agents.spending import NOTHING, Spent
from choragus.agents.stream import context_stream
from choragus.mailbox.turn import OnInterrupt

from .assembly import assemble
from .deciding import Asked
from .decision import Decision, Note, Summarised
from .errand import CallSummary, RetrySummary
from .label import shown_besides, sources
from .summarising import summariser, summary_request
from .work import Doing, MemoryState, Work
from .working import Working

SUMMARY_TRIES = 3
"""How often a model that fails in a way that may pass is asked for one summary."""

RETRY = 1.0
"""Seconds before the second of these; then twice as many."""

S = TypeVar("S", bound=MemoryState)


class Condensing(Part[S, M], Generic[S, M]):
    """What of the memory has summaries written."""

    @reply
    async def reserved(self, verdict: Verdict | AskFailed) -> None:
        """The budget for a summary is set aside, or there is none, or none yet."""
        work = self.waiting(Doing.RESERVE)
        if work is None:
            if isinstance(verdict, Verdict) and verdict.allowed:  # the run ended meanwhile
                self.tell(GUARDRAIL, Spend(token=self.about, spent=NOTHING))
            return
        if isinstance(verdict, AskFailed):
            await self._without_summary(f"{verdict.actor}: {verdict.reason}", await self.working())
        elif not verdict.wait:
            await self._granted(work, verdict)

    @handle
    async def drawn(self, message: Drawn) -> None:
        """The same, for a budget that had to wait."""
        work = self.state.work
        if work is not None and work.doing is Doing.RESERVE and work.token == message.token:
            await self._granted(work, message.verdict)
        elif message.verdict.allowed:
            self.tell(GUARDRAIL, Spend(token=message.token, spent=NOTHING))

    @reply
    async def summarised(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The model has written the summary, or has failed."""
        work = self.waiting(Doing.SUMMARISE)
        if work is None:
            self._paid(self.about, answer)  # the run ended meanwhile: what it cost is spent all the same
            if isinstance(answer, ModelReplied):
                self.tell_spent(_cost(answer))
            return
        self._paid(work.token, answer)
        work.effect = ""
        if isinstance(answer, ModelReplied):
            work.spent = work.spent.add(_cost(answer))
            await self._take_summary(work, answer)
        elif isinstance(answer, ModelFailed) and answer.retryable and work.tries < SUMMARY_TRIES:
            self._failed(work, answer.reason)
            work.doing = Doing.BACKOFF
            self.timer("summary", RetrySummary(work.token), after=RETRY * 2.0 ** (work.tries - 1))
        else:
            reason = answer.reason if isinstance(answer, ModelFailed) else f"{answer.error}: {answer.reason}"
            await self._without_summary(reason, await self.working())

    @handle
    async def retry(self, message: RetrySummary) -> None:
        """A model that failed is asked again."""
        work = self.state.work
        if work is not None and work.doing is Doing.BACKOFF and work.token == message.token:
            await self._reserve(work, await self.working())

    async def assemble(self, working: Working) -> None:
        """Go on with the context of the step in hand."""
        raise NotImplementedError

    def take_over_decisions(self, notes: tuple[Note, ...]) -> None:
        """Write down what a fork has from its parent."""
        for note in notes:
            self.append(context_stream(self.key), note.kind, note.body)
        self.state.version += len(notes)

    def note(self, decision: Decision) -> None:
        """Write a decision down."""
        self.take_over_decisions((Note.of(decision),))

    def log_compacted(self, by: str, before: int, after: int, **fields: object) -> None:
        """Write down that the context was made smaller."""
        assert self.state.work is not None
        self.log(
            "memory.compacted", step=self.state.work.step, by=by, tokens_before=before, tokens_after=after, **fields
        )

    def tell_spent(self, spent: Spent) -> None:
        """Have it counted what summaries have cost for a step that is not taken any more."""
        self.tell(ORCHESTRATOR, Perceived(0, self.state.length, self.state.version, spent))

    def _failed(self, work: Work, why: str) -> None:
        self.log("memory.summary_failed", step=work.step, strategy=work.first + 1, tries=work.tries, reason=why)

    def waiting(self, doing: Doing) -> Work | None:
        """The work that waits for the answer in hand."""
        work = self.state.work
        return work if work is not None and work.doing is doing and work.token == self.about else None

    async def working(self) -> Working:
        """What is shown, as it stands on disk: for turns that have written nothing about it yet."""
        await self.committed()
        return await self.services.contexts.at(self.key, self.state.length, self.state.version)

    async def summarise(self, work: Work, asked: Asked, working: Working) -> None:
        """Have a summary written, if there is budget for it."""
        work.first, work.ranges, work.tries = asked.strategy, asked.ranges, 0
        await self._reserve(work, working)

    async def _reserve(self, work: Work, working: Working) -> None:
        if self.state.paused:
            work.held, work.doing = True, Doing.NOTHING
            return
        agent = self.services.agent(work.scope.agent)
        model, _ = summariser(agent, work.first)
        most = bound(model, summary_request(agent, work.first, working, work.ranges))
        if isinstance(most, str) and work.scope.bound:
            await self._without_summary(f"nobody can tell what it may use at most ({most})", working)
            return
        work.tries, work.asked = work.tries + 1, work.asked + 1
        work.doing, work.token = Doing.RESERVE, f"summary-{work.step}.{work.asked}"
        amount = _most(most) if isinstance(most, Usage) else NOTHING
        self.ask_guardrail(Reserve(token=work.token, most=amount, asker=self.id), then=self.reserved, about=work.token)

    async def _granted(self, work: Work, verdict: Verdict) -> None:
        if not verdict.allowed:
            await self._without_summary(verdict.reason, await self.working())
            return
        if self.state.paused:
            # Others may need the room meanwhile.
            self.tell(GUARDRAIL, Spend(token=work.token, spent=NOTHING))
            work.held, work.doing = True, Doing.NOTHING
            return
        asked = CallSummary(
            run=self.key,
            agent=work.scope.agent,
            strategy=work.first,
            upto=self.state.length,
            version=self.state.version,
            ranges=work.ranges,
        )
        work.doing = Doing.SUMMARISE
        work.effect = self.effect(
            "summary", asked, then=self.summarised, on_interrupt=OnInterrupt.RERUN, about=work.token
        )

    async def _take_summary(self, work: Work, answer: ModelReplied) -> None:
        """Show it in the place of what it is of, if it is whole, and shorter."""
        working = await self.working()
        if answer.stop != "stop" or not answer.text.strip():
            what = f"stopped with {answer.stop!r}" if answer.stop != "stop" else "wrote nothing"
            await self._without_summary(f"{answer.model} {what}: a summary has to come to its end", working)
            return
        last = work.ranges[-1][1]
        lines = (await self.services.conversation(self.key, last))[:last]
        besides = shown_besides(await self.services.contexts.decisions(self.key, self.state.version), last)
        before = working.summary
        labels = sources(lines) | besides | frozenset(before.labels if before else ())
        decision = Summarised(
            step=work.step,
            upto=self.state.length,
            number=1 if before is None else before.number + 1,
            ranges=work.ranges,
            text=answer.text,
            labels=tuple(sorted(labels)),
            model=answer.model,
            by=f"summarise {work.first + 1}",
        )
        then = working.decided(decision)
        was, now = assemble(working).tokens, assemble(then).tokens
        if now >= was:
            await self._without_summary(
                f"{answer.model} wrote a summary that is no shorter than what it is of", working
            )
            return
        self.log_compacted(
            decision.by,
            was,
            now,
            ranges=[list(one) for one in decision.ranges],
            number=decision.number,
            model=answer.model,
            hash=hashlib.sha256(answer.text.encode()).hexdigest(),
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=answer.cost_usd,
            started=answer.started,
            ended=answer.ended,
        )
        self.note(decision)
        work.first, work.doing, work.token, work.ranges = work.first + 1, Doing.NOTHING, "", ()
        await self.assemble(then)

    async def _without_summary(self, why: str, working: Working) -> None:
        """The next strategy has its turn."""
        work = self.state.work
        assert work is not None
        self._failed(work, why)
        work.first, work.doing, work.token, work.ranges = work.first + 1, Doing.NOTHING, "", ()
        await self.assemble(working)

    def _paid(self, token: str, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        if isinstance(answer, ModelReplied):
            self.tell(GUARDRAIL, Spend(token=token, spent=_cost(answer)))
        else:
            cut_off = isinstance(answer, ModelFailed) and answer.cut_off
            self.tell(GUARDRAIL, Spend(token=token, spent=NOTHING, presumed=cut_off))


def _most(usage: Usage) -> Spent:
    return Spent(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd)


def _cost(answer: ModelReplied) -> Spent:
    return Spent(input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, cost_usd=answer.cost_usd)
