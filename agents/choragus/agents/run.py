"""A run, in the hands of whoever started it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Generic, Literal, cast, overload

import attrs

from .approval import Approval
from .context.explaining import Explanation, explain
from .control import PauseRun, ResumeRun
from .correction import correction_of
from .desk import Desk
from .doing import doing
from .errors import AgentError, Cancelled, DecisionRefused, Denied, Failed, LimitReached, Outcome, Waiting, WrongAnswer
from .inspection import RunEvent, RunSummary, Unknown, approvals, find_run, timeline, unknowns
from .keeping import Unwound, result_of, unwound
from .message import CancelRun, SettleCall, UnwindRun
from .model import Image
from .model_gateway.cursor import Place
from .model_gateway.listening import RunOutput, listened
from .output import Output
from .plan.reading import RunPlan, run_plan
from .raising import RaiseLimits
from .speaking import said, say
from .state import Status

if TYPE_CHECKING:  # a default of a TypeVar is known to type checkers on 3.11, and to the interpreter from 3.13 on
    from typing_extensions import TypeVar

    T_co = TypeVar("T_co", covariant=True, default=str)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

_ERRORS: dict[Status, type[Outcome]] = {
    Status.FAILED: Failed,
    Status.CANCELLED: Cancelled,
    Status.DENIED: Denied,
}


class Run(Generic[T_co]):
    """One run of an agent. It goes on whether or not anybody holds this object; a `Run[Report]` gives a Report.

    Args:
        output: the type of its answers; None for text.
    """

    def __init__(self, id: str, desk: Desk, output: Output[T_co] | None = None) -> None:
        self.id = id
        self._desk = desk
        self._output = output

    def __repr__(self) -> str:
        return f"<Run {self.id}>"

    async def status(self) -> RunSummary:
        """Where the run stands now, as of the last commit."""
        return await find_run(self._desk.store, self.id, self._desk.place)

    async def result(self, timeout: float | None = None) -> T_co:
        """The final answer, once the run has completed, of the type that its agent has now.

        Args:
            timeout: seconds to wait; None waits as long as the run takes, also for people.

        Raises:
            Waiting: when there is no result within `timeout`; the run goes on.
            LimitReached, Denied, Cancelled, Failed: when the run ended without one, with the reason.
            WrongAnswer: when the agent has had another type since, and the answer is not of it.
            Held: when this runtime does not go on with the run.
            SystemStopped: when the runtime is closed before the run has ended.
        """
        summary = await self.status()
        if not summary.status.is_final:
            try:
                async with asyncio.timeout(timeout):
                    summary = await self._ended()
            except TimeoutError:
                raise Waiting(self.id, await self._why_waiting(timeout)) from None
        if summary.status is Status.COMPLETED:
            return self._typed(summary.outcome)
        if summary.status is Status.LIMIT:
            raise LimitReached(self.id, summary.outcome, summary.achieved)
        raise _ERRORS[summary.status](self.id, summary.outcome)

    @overload
    def events(self, after: int = 0, *, chunks: Literal[False] = False) -> AsyncIterator[RunEvent]: ...

    @overload
    def events(self, after: int | str = 0, *, chunks: Literal[True]) -> AsyncIterator[RunOutput]: ...

    def events(
        self, after: int | str = 0, *, chunks: bool = False
    ) -> AsyncIterator[RunEvent] | AsyncIterator[RunOutput]:
        """The run's logbook behind a position, then each new line as it is committed; ends with the run.

        The same position gives the same events in every process.

        Args:
            after: a position, or with `chunks` the `cursor` of a chunk.
            chunks: also what the models say, as `TextChunk`, before the line `model.replied` that has it whole; and
                `TextRestarted` where what was shown is void. See `docs/model-gateway.md`.

        Raises:
            ValueError: when `after` is none of these.
            Held: behind what there is, when this runtime does not go on with the run.
            SystemStopped: when the runtime is closed before the run has ended.
        """
        if chunks:
            return listened(self.id, self._desk, after)
        return self._events(Place.at(after).position)

    async def _events(self, after: int) -> AsyncIterator[RunEvent]:
        with self._desk.news(self.id) as news:
            while True:
                news.clear()
                is_final = (await self.status()).status.is_final
                async for event in self.past(after):
                    after = event.position
                    yield event
                    if event.kind == "run.ended":
                        return
                if is_final:
                    return
                await self._desk.wait(self.id, news)

    def past(self, after: int = 0) -> AsyncIterator[RunEvent]:
        """The run's logbook behind a position as it stands now, without waiting for more."""
        return timeline(self._desk.store, self.id, after, self._desk)

    async def send(self, text: str, images: Iterable[Image] = (), *, by: str = "host", key: str = "") -> Run[T_co]:
        """Say something more to the run, and give back the run that has taken it: this one while it goes on.

        While it goes on the model reads the text with its next step, behind the results of the calls under way, and the
        run does not end before. When it has ended, however it did, the next run of its thread begins with what the
        conversation was and this text, on the agent as it is now; two texts to one ended run go to the same next run,
        in order. It returns when the text is on disk and the policies have looked at it, or have put it to a person.

        Args:
            images: pictures beside the text, at most 20 MB together.
            by: who says it; it stands in the logbook.
            key: the same again in this thread says nothing twice, also after a crash, and gives back the run that has
                taken it. Without a key a send that raised may or may not have been taken.

        Raises:
            TextRefused: when a policy refuses it, 100 texts wait already, or the agent is not here. The run goes on.
                Or when it has ended, and its agent's runs are given their plans: `Runtime.start(thread=..., plan=...)`.
            AgentFault: when it is no text, or the images are too large.
            Held: when this runtime does not go on with the run.
            NotEvaluated: when a next run would begin, and its agent has to be evaluated, and was not.
            Paused: when a next run would begin, and the runtime is paused.
        """
        return Run(await say(self._desk, self.id, said(text, images, by, key)), self._desk, self._output)

    async def doing(self) -> str:
        """What the run does just now, in one line, from what is on disk."""
        return await doing(self._desk.store, self.id, self._desk.now())

    async def cancel(self, *, by: str = "host", reason: str = "") -> bool:
        """End the run and its sub-runs as cancelled, also while calls are in flight; False when it had ended before.

        One that this runtime does not go on with is ended too: no call is made and no model asked in it any more.
        """
        if self._desk.holds(self.id):
            await self._desk.let_end(self.id)
        return await self._desk.orchestrator(self.id).ask(CancelRun(by=by, reason=reason))

    async def pause(self, *, by: str = "host", reason: str = "") -> bool:
        """Start nothing new in the run and its sub-runs until `resume`, over restarts too; False when it has ended.

        What is in flight ends and is recorded. A call that is approved meanwhile runs when the run goes on.
        """
        return await self._desk.orchestrator(self.id).ask(PauseRun(by=by, reason=reason))

    async def resume(self, *, by: str = "host") -> bool:
        """Go on with a paused run and its sub-runs; False when it was not paused, or not by `pause`."""
        return await self._desk.orchestrator(self.id).ask(ResumeRun(by=by))

    async def raise_limits(self, *, by: str, reason: str = "", **limits: object) -> None:
        """Raise ceilings of the run while it goes on: `await run.raise_limits(by="mia", steps=80, cost_usd=2.0)`.

        Args:
            by: who says so: one of those who are asked at a ceiling, where the agent names such.
            limits: by the names of `Limits`, none below what it was.

        Raises:
            AgentError: when the run has ended or waits at a ceiling, for that is decided by its approval; when `by`
                may not, or a ceiling cannot be raised to that.
        """
        refusal = await self._desk.guardrail(self.id).ask(RaiseLimits(limits=limits, by=by, reason=reason))
        if refusal:
            raise AgentError(refusal)

    async def explain(self, step: int | None = None) -> Explanation:
        """What the model was given in a step, piece by piece, and why; None is the latest.

        Raises:
            AgentError: when the run has no such step, or none yet.
        """
        summary = await self.status()
        return await explain(self._desk.store, self.id, step, self._desk.prompts.get(summary.agent))

    async def pending(self) -> list[Approval]:
        """What of this run waits for a person: decide by the approval's own `approve`, `deny` or `answer`."""
        return await approvals(self._desk.store, self.id, self._desk)

    async def unknown(self) -> list[Unknown]:
        """The calls of this run whose outcome nobody knows."""
        return await unknowns(self._desk.store, self.id)

    async def approve(
        self, approval: Approval, *, by: str, arguments: Mapping[str, object] | None = None, reason: str = ""
    ) -> None:
        """`approval.approve(...)`, for who holds the run too: refused when the approval is another run's.

        Raises:
            ValueError: when `by` is empty.
            DecisionRefused: as `Approval.approve`.
        """
        await self._own(approval).approve(by=by, arguments=arguments, reason=reason)

    async def deny(self, approval: Approval, *, by: str, reason: str = "") -> None:
        """`approval.deny(...)`, for who holds the run too: refused when the approval is another run's.

        Raises:
            ValueError: when `by` is empty.
            DecisionRefused: as `Approval.deny`.
        """
        await self._own(approval).deny(by=by, reason=reason)

    async def settle(self, call: str | Unknown, outcome: str, *, by: str, result: str = "") -> None:
        """Say what became of a call of unknown outcome.

        Args:
            call: one of `unknown()`, or its number. One of these is settled as it was shown: when it has run again
                since, the word is refused, for it was about another attempt.
            outcome: `happened` (with its `result`), `not` (it is run now), or `give_up` (the run ends).

        Raises:
            ValueError: for another outcome, or when `by` is empty.
            AgentError: when the call is not of unknown outcome, or not any more the one that was shown.
        """
        if outcome not in ("happened", "not", "give_up"):
            raise ValueError(f"outcome={outcome!r} is none of 'happened', 'not', 'give_up'")
        _check_named(by)
        id, attempt = (call, "") if isinstance(call, str) else (call.call, call.attempt)
        word = SettleCall(call=id, outcome=outcome, by=by, result=result, attempt=attempt)
        refusal = await self._desk.gateway(self.id).ask(word)
        if refusal:
            raise AgentError(refusal)

    async def correct(self, answer: object, *, by: str, reason: str = "") -> None:
        """Say what the run should have answered; it stays as it ended, and a dataset has the correction beside it.

        A later one replaces an earlier one, and all of them stand in the logbook.

        Args:
            answer: text, or for an agent whose answers are of a type such a value; text is then the JSON of one.
            by: who says so.
            reason: stands in the logbook.

        Raises:
            AgentFault: when the answer is of no type that the agent could answer with.
            ValueError: when nobody is named, the answer is empty, or a text too long.
            AgentError: when the run goes on, or the answer is not of its agent's type, with what is wrong.
        """
        refusal = await self._desk.orchestrator(self.id).ask(correction_of(answer, by, reason, self._output))
        if refusal:
            raise AgentError(refusal)

    async def result_of(self, call: str) -> str:
        """All that the model was given, or could have been, as the result of a call, also what was cut from it.

        Args:
            call: its number in the run, such as "2.1".

        Raises:
            LookupError: when the run has no result of that call, or a fork has it from the run it was forked from.
        """
        return await result_of(self._desk.store, self.id, call)

    async def plan(self) -> RunPlan | None:
        """The run's plan with the states of its steps and its revisions, as of the last commit; None without one."""
        return await run_plan(self._desk.store, self.id)

    async def unwind(self, *, by: str) -> Unwound:
        """Take back what the calls of this run have done that ended without a result, the last first.

        Each call whose tool declares `undo` is taken back, as a call of its own with an idempotency key of its own,
        also after a restart. One that fails stops it: it stands in `unknown()`, and `settle()` goes on. Unwinding again
        what is unwound does nothing; behind a `give_up` it goes on with what remains.

        Args:
            by: who decides it. Nobody else is asked, not for an irreversible undo either.

        Raises:
            ValueError: when `by` is empty.
            AgentError: when the run has not ended, or has completed, or a call of it runs or is of unknown outcome.
        """
        _check_named(by)
        summary = await self.status()
        if summary.status is Status.COMPLETED:
            raise AgentError(f"run {self.id} has completed: only one that ended without a result is unwound")
        refusal = await self._desk.gateway(self.id).ask(UnwindRun(by=by))
        if refusal:
            raise AgentError(refusal)
        with self._desk.news(self.id) as news:
            while True:
                news.clear()
                state = await unwound(self._desk.store, self.id)
                if state.over or state.stopped:
                    return state
                await self._desk.wait(self.id, news)

    def _typed(self, answer: str) -> T_co:
        if self._output is None:
            return cast("T_co", answer)
        if fault := self._output.fault(answer):
            raise WrongAnswer(self.id, self._output.name, fault)
        return self._output.parse(answer)

    def _own(self, approval: Approval) -> Approval:
        if approval.run != self.id:
            reason = f"approval {approval.id} is of run {approval.run}, not of run {self.id}: decide it there"
            raise DecisionRefused(approval.id, reason)
        return attrs.evolve(approval, desk=self._desk)

    async def _ended(self) -> RunSummary:
        with self._desk.news(self.id, "run.ended") as news:
            while True:
                news.clear()
                summary = await self.status()
                if summary.status.is_final:
                    return summary
                await self._desk.wait(self.id, news)

    async def _why_waiting(self, timeout: float | None) -> str:
        summary = await self.status()
        waits = f", waiting for {'; '.join(summary.waits)}" if summary.waits else ""
        return f"no result within {timeout:g} s: it is at step {summary.step} ({summary.phase}{waits})"


def _check_named(by: str) -> None:
    """Refuse a decision that nobody stands for."""
    if not by.strip():
        raise ValueError(f"by={by!r} names nobody: say who decides")
