"""How the answer of a run is held against what its agent declares as success, before the run ends with it.

It is an effect of its own: a predicate is the user's code and a judge is a model. The run ends as completed whatever
they say; that it has succeeded is another thing, which stands beside it.
"""

from __future__ import annotations

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt

from .assessing import JudgeRun, RunJudged, judge_bound
from .control import Drawn
from .correcting import Correcting
from .ending import R
from .judge import Judge
from .message import GUARDRAIL, ORCHESTRATOR, Reserve, Spend, Verdict, WallReached
from .model import Usage
from .spending import NOTHING, Spent
from .state import Halt, Phase, Status
from .trial import Trial

TRIES = 3
"""How often a judge that fails in a way that may pass is asked."""

RETRY = 1.0
"""Seconds before the second of these; then twice as many."""


@stored("choragus.judge_answer")
@attrs.frozen
class JudgeAnswer:
    """To an orchestrator, by itself: have the answer judged, for the first time or once more."""

    token: str


class Judging(Correcting[R, M]):
    """What of the orchestrator says whether the run succeeded. Without a declaration nothing of it happens."""

    @handle
    async def judge_answer(self, message: JudgeAnswer) -> None:
        """Ask whoever judges, once there is budget for it."""
        trial = self.state.trial
        if not self._is_over and trial is not None and message.token == self._trial_token:
            await self._ask_judge()

    @reply
    def judge_reserved(self, verdict: Verdict | AskFailed) -> None:
        """The budget for a judge is set aside, or there is none, or none yet."""
        if self._is_over or self.state.trial is None or self.about != self._trial_token:
            if isinstance(verdict, Verdict) and verdict.allowed:
                self.tell(GUARDRAIL, Spend(token=self.about, spent=NOTHING))
        elif isinstance(verdict, AskFailed):
            self._settle(None, f"{verdict.actor}: {verdict.reason}")
        elif not verdict.wait:
            self._may_judge(verdict)

    @handle
    async def drawn(self, message: Drawn) -> None:
        """A budget that had to wait: a judge's, or that of a model call."""
        if self.state.trial is not None and not self._is_over and message.token == self._trial_token:
            self._may_judge(message.verdict)
        else:
            await super().drawn(message)

    @reply
    def success_judged(self, answer: RunJudged | EffectFailed) -> None:
        """The word on whether the run succeeded, or none; what it has cost is spent in any case."""
        trial = self.state.trial
        is_late = self._is_over or trial is None or self.about != self._trial_token
        if isinstance(answer, RunJudged) and answer.reserved:
            self._pay(answer)
        if is_late:
            self._show()
            return
        assert trial is not None
        self.state.effect = ""
        if isinstance(answer, EffectFailed):
            self.tell(GUARDRAIL, Spend(token=self.about, spent=NOTHING, presumed=True))
            self._settle(None, f"{answer.error}: {answer.reason}")
        elif answer.retryable and trial.tries < TRIES:
            self.log("judge.failed", reason=answer.reason, tries=trial.tries)
            again = JudgeAnswer(self._trial_token)
            self.timer("retry", again, after=RETRY * 2.0 ** (trial.tries - 1))
        else:
            self._settle(answer.succeeded, answer.reason, answer.score)

    @handle
    def wall(self, message: WallReached) -> None:
        """The wall time is used up. An answer that is there stands, though nobody says any more whether it is good."""
        if self.state.trial is not None and not self._is_over:
            if self.state.effect:
                self.cancel_effect(self.state.effect)
                self.state.effect = ""
            self._settle(None, "the wall time of the run was used up before it was judged")
        else:
            super().wall(message)

    # Hooks of the loop.

    def _conclude(self, text: str) -> None:
        state = self.state
        if self.services.success(state.agent) is None or (state.unread and not state.final):
            super()._conclude(text)
            return
        state.trial = Trial(answer=text)
        self._enter(Phase.JUDGE, stage="success")
        self._show()
        self.tell(ORCHESTRATOR, JudgeAnswer(self._trial_token))

    async def _go_on(self) -> None:
        if self.state.halt is Halt.SUCCESS:
            self.state.halt = Halt.NOWHERE
            await self._ask_judge()
        else:
            await super()._go_on()

    def _open_end(self) -> dict[str, object]:
        return super()._open_end() if self.services.success(self.state.agent) is None else {"judged": True}

    def _end(self, status: Status, outcome: str) -> None:
        if status is not Status.COMPLETED and self.services.success(self.state.agent) is not None:
            self._say(False, "status", f"the run ended as {status.value}")
        self.state.trial = None
        super()._end(status, outcome)

    # The parts of the handlers.

    @property
    def _trial_token(self) -> str:
        """The name of the judging in hand."""
        trial = self.state.trial
        return f"success-{self.state.step}.{0 if trial is None else trial.tries}"

    async def _ask_judge(self) -> None:
        state, trial = self.state, self.state.trial
        assert trial is not None
        if state.paused:
            state.halt = Halt.SUCCESS
            return
        trial.tries += 1
        success = self.services.success(state.agent)
        if not isinstance(success, Judge):
            self._judge_now()
            return
        await self.committed()  # what the run did is read from disk
        most = await judge_bound(self.services, self._asked_to_judge(), success)
        if isinstance(most, str) and self._is_bound:
            self._settle(None, f"nobody can tell what the judge may use at most ({most})")
            return
        amount = _spent(most) if isinstance(most, Usage) else NOTHING
        reserve = Reserve(token=self._trial_token, most=amount, asker=self.id)
        self.ask_guardrail(reserve, then=self.judge_reserved, about=self._trial_token)

    @property
    def _is_bound(self) -> bool:
        state = self.state
        bound = state.limits.bounds_calls or state.parent or state.ledgers
        return bool(bound) and state.limits.unbounded == "refuse"

    def _may_judge(self, verdict: Verdict) -> None:
        trial = self.state.trial
        assert trial is not None
        if not verdict.allowed:
            self._settle(None, f"there was no budget for the judge: {verdict.reason}")
        elif self.state.paused:
            self.tell(GUARDRAIL, Spend(token=self._trial_token, spent=NOTHING))
            trial.tries -= 1
            self.state.halt = Halt.SUCCESS
        else:
            self._judge_now()

    def _judge_now(self) -> None:
        self.state.effect = self.effect(
            "success",
            self._asked_to_judge(),
            then=self.success_judged,
            on_interrupt=OnInterrupt.RERUN,
            about=self._trial_token,
        )

    def _asked_to_judge(self) -> JudgeRun:
        state, trial = self.state, self.state.trial
        assert trial is not None
        return JudgeRun(run=self.key, agent=state.agent, goal=state.goal, answer=trial.answer, started=state.started)

    def _pay(self, answer: RunJudged) -> None:
        spent = Spent(input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, cost_usd=answer.cost_usd)
        self.state.spent = self.state.spent.add(spent)
        self.state.judging_usd += spent.cost_usd
        self.tell(GUARDRAIL, Spend(token=self.about, spent=spent, presumed=answer.cut_off))

    def _settle(self, succeeded: bool | None, reason: str, score: float | None = None) -> None:
        """The word is there, or there will be none. Whoever has said more meanwhile has the run go on."""
        state, trial = self.state, self.state.trial
        assert trial is not None
        state.trial = None
        if not state.unread or state.final:
            self._say(succeeded, self.services.judged_by(state.agent), reason, score)
            state.succeeded = succeeded
        super()._conclude(trial.answer)

    def _say(self, succeeded: bool | None, by: str, reason: str, score: float | None = None) -> None:
        self.state.succeeded = succeeded
        more: dict[str, object] = {} if score is None else {"score": score}
        cost: dict[str, object] = {"cost_usd": self.state.judging_usd} if self.state.judging_usd else {}
        self.log("run.judged", succeeded=succeeded, by=by, reason=reason, **more, **cost)


def _spent(usage: Usage) -> Spent:
    return Spent(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cost_usd=usage.cost_usd)
