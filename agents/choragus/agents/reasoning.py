"""How a run calls its model: the budget first, then the call, then the account of it."""

from __future__ import annotations

import attrs

from choragus.actors.actor import M
from choragus.actors.dispatch import handle, reply
from choragus.actors.message import AskFailed, EffectFailed
from choragus.mailbox.turn import OnInterrupt

from .control import Drawn, LimitsRaised
from .drafting import Drafting
from .ending import R
from .errand import CallModel, ModelFailed, ModelReplied
from .limits import LAST
from .message import GUARDRAIL, ORCHESTRATOR, Reserve, RetryModel, Spend, Verdict, WallReached
from .model import Usage
from .model_gateway.account import also_said, spent_on
from .model_gateway.course import Again, Attempts, Next, Over, after_failure, chance
from .policy.check import Stage
from .spending import NOTHING, Spent
from .state import Draft, Halt, Phase, Status
from .stream import SHOWN


class Reasoning(Drafting[R, M]):
    """What of the orchestrator calls the model."""

    @handle
    async def retry(self, message: RetryModel) -> None:
        """A model that failed is called again."""
        if not self._is_over and self.state.phase is Phase.REASON and message.step == self.state.step:
            await self._reserve()

    @reply
    async def reserved(self, verdict: Verdict | AskFailed) -> None:
        """The budget is set aside, or there is none, or there is none yet."""
        if self._is_over or self.state.phase is not Phase.REASON or self.about != self._token:
            return
        if isinstance(verdict, AskFailed):
            self._end(Status.DENIED, f"{verdict.actor}: {verdict.reason}; without the guardrail nothing runs")
        elif not verdict.wait:
            await self._granted(verdict)

    @handle
    async def drawn(self, message: Drawn) -> None:
        """The same, for a budget that had to wait."""
        if not self._is_over and self.state.phase is Phase.REASON and message.token == self._token:
            await self._granted(message.verdict)

    @handle
    def raised(self, message: LimitsRaised) -> None:
        """A person has raised the ceilings."""
        state = self.state
        before, state.limits = state.limits, message.limits
        after = state.limits.wall_seconds
        if not self._is_over and after is not None and after != before.wall_seconds:
            self.timer("wall", WallReached(), after=max(0.0, state.started + after - self.now))

    @reply
    def replied(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The model has answered: with calls, go on to act; without, this is the result."""
        if self._is_over:
            self._replied_late(answer)
        elif self.state.phase is Phase.REASON and self.about == self._token:
            self.state.effect = ""
            if isinstance(answer, ModelReplied):
                # No call of a last answer is made, so that for all who read the run it asks for none.
                answer = attrs.evolve(answer, calls=()) if self.state.final else answer
                self._account(answer)
                self.state.achieved = answer.text[:SHOWN] or self.state.achieved
                draft = Draft(
                    stage=Stage.REPLY.value, text=answer.text, calls=answer.calls, stop=answer.stop, kept=answer.kept
                )
                self._judge(draft)
            elif isinstance(answer, ModelFailed):
                self.tell(GUARDRAIL, Spend(token=self._token, spent=NOTHING, presumed=answer.cut_off))
                self._model_failed(answer)
            elif self._has_further or self.state.plan is not None:  # a step that fails may have other ways
                self.tell(GUARDRAIL, Spend(token=self._token, spent=NOTHING, presumed=True))
                self._model_failed(_broken(answer, self.now))
            else:
                self._end(Status.FAILED, f"the model call failed: {answer.error}: {answer.reason}")

    @property
    def _token(self) -> str:
        """The name of the model call in hand."""
        return f"step-{self.state.step}.{self.state.tries}"

    async def _reserve(self) -> None:
        state = self.state
        if state.paused:
            state.halt = Halt.RESERVE
            return
        state.tries += 1
        if state.version or not self.services.hearing.knows(self.key, state.upto):
            await self.committed()  # the conversation is read from disk
        most = await self._most(state.final)
        keep = NOTHING
        if not state.final and "degrade" in state.limits.at_limit.values():
            last = await self._most(LAST)
            keep = NOTHING if isinstance(last, str) else last
        if isinstance(most, str):
            self._end(Status.LIMIT, self._unbounded(most))
            return
        reserve = Reserve(token=self._token, most=most, asker=self.id, keep=keep, final=bool(state.final))
        self.ask_guardrail(reserve, then=self.reserved, about=self._token)

    async def _most(self, final: str) -> Spent | str:
        """What the model call may use at most, or why nobody can tell where that matters."""
        state = self.state
        most = await self.services.estimate(self._asked(final))
        if isinstance(most, Usage):
            hedged = self.services.agent(state.agent).model_options.hedge_after is not None
            return spent_on([most, most] if hedged else [most])
        is_bound = state.limits.bounds_calls or state.parent or state.ledgers
        return most if is_bound and state.limits.unbounded == "refuse" else Spent(steps=1)

    def _unbounded(self, why: str) -> str:
        model = self.services.model(self._asked(self.state.final))
        return (
            f"nobody can tell what a call of model {model.name!r} may use at most ({why}), and tokens or money are "
            "limited: give it an estimate, or let it run with Limits(unbounded='allow')"
        )

    async def _granted(self, verdict: Verdict) -> None:
        """Call the model; at a ceiling end, or have it answer once more."""
        state = self.state
        if verdict.allowed and state.paused:
            # Others may need the room meanwhile.
            self.tell(GUARDRAIL, Spend(token=self._token, spent=NOTHING))
            state.tries -= 1
            state.halt = Halt.RESERVE
        elif verdict.allowed:
            self._call_model()
        elif verdict.limit and not state.final and state.limits.policy(verdict.limit) == "degrade":
            state.final = f"{LAST} ({verdict.reason})"
            self._from_the_first()
            self.log("run.degraded", step=state.step, limit=verdict.limit, reason=verdict.reason)
            await self._reserve()
        else:
            self._end(Status.LIMIT, verdict.reason)

    def _call_model(self) -> None:
        asked = self._asked(self.state.final)
        self.state.effect = self.effect(
            "model", asked, then=self.replied, on_interrupt=OnInterrupt.RERUN, about=self._token
        )

    def _asked(self, final: str) -> CallModel:
        """The model call of this step; with `final`, as the run's last."""
        state = self.state
        return CallModel(
            run=self.key,
            agent=state.agent,
            step=state.step,
            upto=state.upto,
            granted=state.granted,
            final=final,
            model=state.model if final == state.final else 0,
            attempt=state.tries,
            again=state.failed,
            version=state.version,
        )

    def _account(self, answer: ModelReplied) -> None:
        state = self.state
        spent = spent_on([answer, *answer.lost])
        state.spent, state.heard = state.spent.add(spent), answer.input_tokens
        state.cached_tokens += answer.cached_tokens
        state.reasoning_tokens += answer.reasoning_tokens
        self.tell(GUARDRAIL, Spend(token=self._token, spent=spent))
        self._log_model(
            "model.replied",
            answer,
            text=answer.text,
            calls=[{"name": call.name, "arguments": call.arguments} for call in answer.calls],
            stop=answer.stop,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=answer.cost_usd,
            **also_said(answer),
            **self._open_end(),
        )

    def _open_end(self) -> dict[str, object]:
        """A mark that the run may go on after an answer without calls: it is judged, or somebody has said more."""
        chain = self.services.policies(self.state.agent)
        may_go_on = chain.looks_at(Stage.REPLY) or chain.looks_at(Stage.OUTPUT) or self.state.unread
        if may_go_on or self.services.output(self.state.agent) is not None:
            return {"judged": True}
        return {}

    def _replied_late(self, answer: ModelReplied | ModelFailed | EffectFailed) -> None:
        """The run ended while the model answered: what it cost is spent all the same."""
        if isinstance(answer, ModelReplied):
            self._account(answer)
            self._show()

    def _from_the_first(self) -> None:
        """The step begins with the model that it is for, the last answer with the first."""
        state = self.state
        state.model = 0 if state.final else state.first
        state.failed = state.away = state.failures = 0

    @property
    def _has_further(self) -> bool:
        """Whether there is another model behind the one in hand."""
        who = self.services.agent(self.state.agent)
        return self.state.model + 1 < len(who.last_models if self.state.final else who.models)

    def _model_failed(self, answer: ModelFailed) -> None:
        """Wait and call again, or call the next model, or give up."""
        state = self.state
        state.away += answer.not_called
        state.failed += not answer.not_called
        state.failures += not answer.not_called
        tried = Attempts(
            failed=state.failed,
            away=state.away,
            further=self._has_further,
            left=self._wall_left,
            chance=chance(self.key, self._token),
        )
        course = after_failure(self.services.agent(state.agent).model_options, answer, tried)
        more: dict[str, object] = {"wait": course.wait} if isinstance(course, Again) else {}
        if answer.not_called:
            self._log_model("model.queued", answer, reason=answer.reason, **also_said(answer), **more)
        else:
            self._log_model(
                "model.failed", answer, reason=answer.reason, tries=state.failures, **also_said(answer), **more
            )
        match course:
            case Again(wait):
                self.timer("retry", RetryModel(state.step, state.upto), after=wait)
            case Next():
                self._fall_back(answer)
            case Over():
                self._has_no_reply(self._all_failed(answer))

    def _has_no_reply(self, why: str) -> None:
        """The model cannot answer."""
        self._end(Status.FAILED, why)

    def _fall_back(self, answer: ModelFailed) -> None:
        """Call the next model of the agent."""
        state, before = self.state, self.services.model(self._asked(self.state.final))
        state.model, state.failed, state.away = state.model + 1, 0, 0
        model = self.services.model(self._asked(state.final))
        self.log("model.fallback", step=state.step, model=model.name, instead=before.name, reason=answer.reason[:SHOWN])
        self.tell(ORCHESTRATOR, RetryModel(state.step, state.upto))

    @property
    def _wall_left(self) -> float | None:
        """Seconds of wall time that the run has left; None: any number."""
        wall = self.state.limits.wall_seconds
        return None if wall is None or self.state.final else max(0.0, self.state.started + wall - self.now)

    def _all_failed(self, answer: ModelFailed) -> str:
        state = self.state
        if not state.failures:
            return f"no model was called: {answer.reason}"
        times = "once" if state.failed == 1 else f"{state.failed} times"
        if not state.model:
            return f"the model failed {times}: {answer.reason}"
        last = self.services.model(self._asked(state.final)).name
        return f"none of {state.model + 1} models answered; the last, {last!r}, failed {times}: {answer.reason}"

    def _log_model(self, kind: str, answer: ModelReplied | ModelFailed, **fields: object) -> None:
        state = self.state
        model = self.services.model(self._asked(state.final))
        prompt = self.services.agent(state.agent).prompt.said()
        self.log(
            kind,
            step=state.step,
            attempt=state.tries,
            agent=state.agent,
            model=model.name,
            provider=model.provider,
            **({"prompt": prompt} if prompt else {}),
            started=answer.started,
            ended=answer.ended,
            **fields,
        )
        if self.services.models.podium.writing(self.key) is not None:
            self._turn.after_commit(lambda: self.services.models.podium.forget(self.key))


def _broken(answer: EffectFailed, now: float) -> ModelFailed:
    """A model that has raised what is no ModelError."""
    reason = f"{answer.error}: {answer.reason}"
    return ModelFailed(reason=reason, retryable=False, started=now, ended=now, kind="broken")
