"""The trials of an evaluation: started, waited for, scored, and written down."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import anyio
import attrs

from choragus.actors.thread import in_thread
from choragus.agents.agent import Agent
from choragus.agents.assessing import ended_run
from choragus.agents.ended import EndedRun
from choragus.agents.errors import Outcome
from choragus.agents.evaluating import bench_of
from choragus.agents.inspection import RunSummary
from choragus.agents.judge import Judgement
from choragus.agents.ledger import ledgers
from choragus.agents.patience import CutOff, TookTooLong, told, within
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.agents.storable import storable

from .case import Case, Dataset
from .judging import Judged, judge_agent
from .people import People, to_its_end
from .record import TrialEnded, trial_key
from .scorer import REASON, Score, Scorer, checked
from .trial import Trial, trial_of

LONGEST = 60.0
"""Seconds that a scorer has for one trial; a judge has the limits of its run."""

OWN = "evaluation-"
"""Before the id of an evaluation: the name of the ledger that its runs draw on."""

Told = Callable[[Trial, int, int], None]


@attrs.frozen(kw_only=True)
class Trying:
    """One evaluation under way."""

    runtime: Runtime
    agent: Agent[object]
    id: str
    shared: tuple[Scorer, ...]
    people: People
    ledgers: tuple[str, ...]

    def now(self) -> float:
        """Seconds since the epoch, by the runtime's clock."""
        return bench_of(self.runtime).now()

    async def all(
        self,
        dataset: Dataset,
        repeats: int,
        done: list[Trial],
        at_once: int,
        until: float | None,
        on_trial: Told | None,
    ) -> str:
        """Run what has not ended yet, add it to what is done, and say why trials are missing, or nothing.

        The first trial of every case comes before the second of any.
        """
        ended = {(one.case, one.repeat) for one in done}
        whole = [(case, repeat) for repeat in range(1, repeats + 1) for case in dataset.cases]
        left = iter([one for one in whole if (one[0].name, one[1]) not in ended])
        stopped: list[str] = []
        faults: list[Exception] = []

        async def work() -> None:
            for case, repeat in left:
                why = stopped[0] if stopped else await self._over(until)
                if why:
                    stopped.append(why)
                    return
                trial = await self._trial(case, repeat)
                if isinstance(trial, str):
                    stopped.append(trial)
                    return
                done.append(trial)
                if on_trial is not None:
                    on_trial(trial, len(done), len(whole))

        async with anyio.create_task_group() as group:

            async def guarded() -> None:
                try:
                    await work()
                except Exception as error:  # told to the caller below, as it is and not in a group
                    faults.append(error)
                    group.cancel_scope.cancel()

            for _ in range(at_once):
                group.start_soon(guarded)
        if faults:
            raise faults[0]
        return stopped[0] if stopped else ""

    async def _over(self, until: float | None) -> str:
        """Why no further trial begins, or nothing."""
        if until is not None and self.now() >= until:
            return "its time was used up"
        spent = {one.name: one for one in await ledgers(self.runtime.store)} if self.ledgers else {}
        for name in self.ledgers:
            one = spent.get(name)
            if one is not None and one.limit_usd is not None and one.cost_usd >= one.limit_usd:
                return f"ledger {name} is used up: {one.cost_usd:g} of {one.limit_usd:g} dollars are spent"
        return ""

    async def _trial(self, case: Case, repeat: int) -> Trial | str:
        """The trial, or why it did not come to its end."""
        key = trial_key(self.id, case.name, repeat)
        try:
            summary = await self._run(self.agent, case.goal, key)
            ended = await ended_run(self.runtime.store, summary)
            scores, judging = await self._scores(case, ended, key)
        except _NoRoom as error:
            return str(error)
        trial = attrs.evolve(
            trial_of(case.name, repeat, ended, scores),
            judging_usd=judging,
            waited=summary.waited,
            started=summary.started,
            ended=summary.ended,
        )
        results = tuple({**one.fields(), "case": case.name, "repeat": repeat} for one in scores)
        await bench_of(self.runtime).evaluation(self.id).ask(TrialEnded(trial=trial.as_dict(), results=results))
        return trial

    async def _run(self, agent: Agent[object], goal: str, key: str) -> RunSummary:
        """The ended run of that key. One that the evaluation's own ledger has ended is none: where that has been raised
        since, another run takes its place; else _NoRoom is raised."""
        begun = self.now()
        for attempt in count():
            named = f"{key}/again-{attempt}" if attempt else key
            run = await self.runtime.start(agent, goal, key=named, ledgers=self.ledgers)
            await to_its_end(self.runtime, run, self.people)
            summary = await run.status()
            is_refused = any(f"ledger {one}/" in summary.outcome for one in self.ledgers)
            if summary.status is not Status.LIMIT or not is_refused:
                return summary
            if summary.ended >= begun:
                why, _, remedy = summary.outcome.partition(": raise it with ")
                more = "give more as cost_usd" if OWN in remedy else f"raise it with {remedy}"
                raise _NoRoom(f"there is no money for more: {why}: {more}")
        raise AssertionError("attempts do not end")

    async def _scores(self, case: Case, run: EndedRun, key: str) -> tuple[list[Score], float]:
        """What the scorers say, each under a name of its own, and what judges have cost."""
        found: list[Score] = []
        judging = 0.0
        for number, scorer in enumerate((*self.shared, *case.scorers), start=1):
            if isinstance(scorer, Judged):
                if run.status != "completed":  # there is no work to judge, and it has failed without a judge
                    continue
                verdict, cost = await self._judged(scorer, case, run, f"{key}/{number}")
                judging += cost
            score = verdict if isinstance(scorer, Judged) else await self._said(scorer, case, run)
            if score is not None:
                taken = sum(one.name == score.name or one.name.startswith(f"{score.name} ") for one in found)
                found.append(attrs.evolve(score, name=f"{score.name} {taken + 1}") if taken else score)
        return found, judging

    async def _said(self, scorer: Scorer, case: Case, run: EndedRun) -> Score | None:
        try:
            return checked(await within(LONGEST, in_thread("scorer", lambda: scorer.score(case, run))))
        except TookTooLong:
            return _failed(scorer, f"it did not return within {LONGEST:g} s")
        except CutOff:
            return _failed(scorer, "it was cancelled from inside")
        except Exception as error:  # a scorer is the user's code
            return _failed(scorer, f"it raised {told(error)}")

    async def _judged(self, scorer: Judged, case: Case, run: EndedRun, key: str) -> tuple[Score, float]:
        judge = self.runtime.agents[judge_agent(scorer.judge).name]
        summary = await self._run(judge, scorer.goal(case, run), key)
        try:
            said: object = await (await self.runtime.run(summary.run)).result()
        except Outcome as error:
            return _failed(scorer, str(error)), summary.cost_usd
        assert isinstance(said, Judgement)
        return scorer.said(said), summary.cost_usd


class _NoRoom(Exception):
    """Raised when the evaluation's ledger has ended a run."""


def _failed(scorer: Scorer, why: str) -> Score:
    return Score(name=scorer.name, passed=None, reason=storable(why[:REASON]), error=True)
