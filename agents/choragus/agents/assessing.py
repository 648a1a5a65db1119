"""How it is found out whether a run succeeded: what it did is read from its logbook, and whoever judges is asked."""

from __future__ import annotations

from collections.abc import AsyncIterator

import attrs

from choragus.actors.effect import EffectContext
from choragus.actors.thread import in_thread
from choragus.mailbox.codec import stored
from choragus.mailbox.store import Store

from .ended import EndedRun, MadeCall
from .errand import CallModel, ModelFailed
from .inspection import RunEvent, RunSummary, find_summary, timeline
from .judge import Judge, read_judgement
from .model import Usage, bound
from .patience import CutOff, TookTooLong, within
from .service import Services
from .state import Status
from .success import Assessed, assess, whose

LONGEST = 10.0
"""Seconds that a predicate has."""

REASON = 2_000
"""Characters of a judge's reason that are kept."""


@stored("choragus.judge_run")
@attrs.frozen(kw_only=True)
class JudgeRun:
    """Say whether a run that has come to this answer succeeded, by what its agent declares."""

    run: str
    agent: str
    goal: str
    answer: str
    started: float


@stored("choragus.run_judged")
@attrs.frozen(kw_only=True)
class RunJudged:
    """Whether the run succeeded; None: nobody can tell, for this reason. `retryable`: it may be told later.

    `reserved`: a model was called, or was to be, and what it has cost is to be accounted for.
    """

    succeeded: bool | None
    reason: str = ""
    score: float | None = None
    retryable: bool = False
    cut_off: bool = False
    reserved: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


async def judge_bound(services: Services, asked: JudgeRun, judge: Judge) -> Usage | str:
    """The most that the judge's call may use, or why nobody can tell."""
    return bound(judge.model, judge.request(await _ended(services, asked)))


class SuccessRunner:
    """Runs JudgeRun effects."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def call(self, request: object, context: EffectContext) -> object:
        """Ask the predicate, the type or the judge. Whatever they do is a result."""
        assert isinstance(request, JudgeRun)
        success = self._services.success(request.agent)
        if success is None:
            return RunJudged(succeeded=None, reason=f"agent {request.agent!r} declares no success any more")
        ended = await _ended(self._services, request)
        if isinstance(success, Judge):
            return await self._judged(request, success, ended)
        try:
            said: Assessed = await within(LONGEST, in_thread("success", lambda: assess(success, ended)))
        except TookTooLong:
            said = Assessed(succeeded=None, by=whose(success), reason=f"it did not return within {LONGEST:g} s")
        except CutOff:
            said = Assessed(succeeded=None, by=whose(success), reason="it was cancelled from inside")
        return RunJudged(succeeded=said.succeeded, reason=said.reason)

    async def _judged(self, asked: JudgeRun, judge: Judge, ended: EndedRun) -> RunJudged:
        services = self._services
        place = CallModel(run=asked.run, agent=asked.agent, step=0, upto=0)
        # Nothing is set aside for a second call beside the first.
        options = attrs.evolve(services.agent(asked.agent).model_options, hedge_after=None)
        answer = await services.models.call(place, judge.request(ended), judge.model, options, None)
        if isinstance(answer, ModelFailed):
            return RunJudged(
                succeeded=None,
                reason=f"the judge failed: {answer.reason}"[:REASON],
                retryable=answer.retryable,
                cut_off=answer.cut_off,
                reserved=True,
            )
        said = read_judgement(answer.text)
        told = RunJudged(
            succeeded=None,
            reserved=True,
            input_tokens=answer.input_tokens,
            output_tokens=answer.output_tokens,
            cost_usd=answer.cost_usd,
        )
        if isinstance(said, str):  # its answer may be in the fault, and that is foreign text like any other
            return attrs.evolve(told, reason=f"the judge's answer was no verdict: {said}"[:REASON], retryable=True)
        return attrs.evolve(told, succeeded=said.passed, score=said.score, reason=said.reason[:REASON])


async def _ended(services: Services, asked: JudgeRun) -> EndedRun:
    summary = await find_summary(services.store, asked.run)
    assert summary is not None
    ended = await ended_run(services.store, summary)
    seconds = max(0.0, services.clock() - asked.started)
    return attrs.evolve(ended, status=Status.COMPLETED.value, answer=asked.answer, seconds=seconds)


async def ended_run(store: Store, summary: RunSummary) -> EndedRun:
    """A run as those see it who say whether it succeeded."""
    has_answer = summary.status is Status.COMPLETED
    return EndedRun(
        run=summary.run,
        agent=summary.agent,
        goal=summary.goal,
        status=summary.status.value,
        answer=summary.outcome if has_answer else "",
        reason="" if has_answer else summary.outcome,
        calls=await made_calls(timeline(store, summary.run)),
        steps=summary.steps,
        input_tokens=summary.input_tokens,
        output_tokens=summary.output_tokens,
        cost_usd=summary.cost_usd,
        seconds=max(0.0, summary.ended - summary.started),
        questions=summary.questions,
        succeeded=summary.succeeded,
    )


async def made_calls(events: AsyncIterator[RunEvent]) -> tuple[MadeCall, ...]:
    """The calls in a run's logbook, in the order in which its model asked for them, as they were run in the end."""
    found: dict[str, MadeCall] = {}
    async for event in events:
        id, data = str(event.data.get("call", "")), event.data
        arguments = data.get("arguments")
        if event.kind == "call.requested" and isinstance(arguments, dict):
            found[id] = MadeCall(tool=str(data["tool"]), arguments=arguments, ran=False)
        elif id not in found:
            continue
        elif event.kind in ("approval.decided", "call.rewritten") and isinstance(arguments, dict):
            found[id] = attrs.evolve(found[id], arguments=arguments)
        elif event.kind == "call.refused":
            found[id] = attrs.evolve(found[id], result=str(data["reason"]), is_error=True)
        elif event.kind == "call.finished":
            is_error, ran = bool(data["is_error"]), data.get("ran") is not False
            found[id] = attrs.evolve(found[id], result=str(data["text"]), is_error=is_error, ran=ran)
    return tuple(found.values())
