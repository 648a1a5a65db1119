"""Running an evaluation: each trial is an ordinary run with a key of its own, so after an interruption it goes on."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import attrs
import msgspec

from choragus.agents.agent import Agent
from choragus.agents.errors import EvaluationFault
from choragus.agents.evaluating import bench_of
from choragus.agents.judge import Judge, Judgement
from choragus.agents.ledger import Ledger
from choragus.agents.runtime import Runtime
from choragus.mailbox.store import Store

from .baseline import Baseline, Rule, compare
from .case import Case, Dataset
from .judging import Judged, judge_agent
from .option import Options
from .people import People
from .reading import read_cases
from .record import VIEW, BeginEvaluation, EndEvaluation, evaluation_stream
from .report import Report
from .scorer import Exact, Scorer, as_scorer, as_scorers
from .trial import Trial, read_trials
from .trying import OWN, Told, Trying

Cases: TypeAlias = Dataset | Iterable[Case] | str | Path
"""Cases, or the file that they stand in."""

PAGE = 500


async def evaluate(
    what: Runtime | Agent[object],
    cases: Cases,
    *,
    agent: str | Agent[object] = "",
    scorers: Sequence[object] | None = None,
    repeats: int = 3,
    at_once: int = 8,
    key: str = "",
    file: str | Path | None = None,
    cost_usd: float | None = None,
    ledger: str = "",
    seconds: float | None = None,
    people: People = "cancel",
    at_least: float | None = None,
    baseline: Baseline | str | Path | None = None,
    rule: Rule | None = None,
    on_trial: Told | None = None,
) -> Report:
    """Try an agent with cases, and say what came of it.

    Each trial is a run of the agent, with its ceilings, policies and tools. When it is interrupted, in any way, the
    same call on the same file goes on: what has ended is not run again, what was under way goes on. So it does when a
    ceiling of its own has stopped it, and that was raised. Once it has ended the same call begins another one, unless
    it has a `key`.

    Args:
        what: a Runtime, open or not, or an Agent, for which one is opened here on `file`, or in memory.
        cases: the cases, or a file of them, as `read_cases` reads it.
        agent: which of the runtime's agents, when it has several.
        scorers: what says how good a trial was, beside what the cases say themselves: scorers, judges, plain functions.
            By default, and where the cases bring none: `Exact()`, for cases that expect something.
        repeats: how often each case is tried (3), at most 1,000 times.
        at_once: how many runs go on at a time (8), at most 1,000.
        key: what this evaluation goes by. One that has ended under it is given back and not run again.
        file: where an agent's runs live.
        cost_usd: dollars for all runs and judges together, for ever; kept by a ledger, so it needs a runtime that is
            not open yet, or an agent. For one that is open give `ledger`, the name of one of its ledgers.
        seconds: from its first beginning, interruptions included; then no trial begins any more, and those under way
            come to their end.
        people: what happens where a run asks a person: it is cancelled by default. See `People`.
        at_least: the share of trials that is to pass.
        baseline: an earlier evaluation, or the file of one; `rule` says what counts as worse.
        on_trial: told of each trial that has ended, and how many of how many have.

    Raises:
        EvaluationFault: when an option, a case or a scorer is not what it may be; nothing has run.
        AgentError: when the runs cannot be started, as `Runtime.start` says.
    """
    options = Options(
        repeats=repeats,
        at_once=at_once,
        key=key,
        cost_usd=cost_usd,
        ledger=ledger,
        seconds=seconds,
        people=people,
        at_least=at_least,
        baseline=Baseline.load(baseline) if isinstance(baseline, str | Path) else baseline,
        rule=rule or Rule(),
        on_trial=on_trial,
    )
    dataset = _prepared(cases)
    shared = _shared(scorers, dataset)
    judges = [one for one in _all(shared, dataset) if isinstance(one, Judged)]
    async with _opened(what, file, judges, cost_usd) as runtime:
        if ledger and not bench_of(runtime).has_ledger(ledger):
            raise EvaluationFault(f"ledger={ledger!r} is none of this runtime's: pass it in Runtime(ledgers=[...])")
        name = _named(runtime, what, agent)
        _check_judges(runtime, judges)
        return await _evaluated(runtime, name, dataset, shared, options)


async def _evaluated(
    runtime: Runtime, agent: str, dataset: Dataset, shared: tuple[Scorer, ...], options: Options
) -> Report:
    """Begin or go on, run what is left, and end."""
    identity = runtime.identity(agent)
    begin = BeginEvaluation(
        dataset=dataset.name,
        digest=dataset.digest,
        agent=agent,
        manifest=identity.hash,
        identity=identity.as_dict(),
        cases=len(dataset.cases),
        repeats=options.repeats,
        scorers=tuple(dict.fromkeys(one.name for one in _all(shared, dataset))),
    )
    id, bench = await _id(runtime, options.key, begin, shared), bench_of(runtime)
    with bench.conducted(id):
        await bench.evaluation(id).ask(begin)
        kept, stopped = await _kept(runtime.store, id), ""
        if not kept.ended:
            stopped = await _tried(runtime, agent, id, dataset, shared, options, kept)
        report = _report(id, begin, dataset, kept, stopped, options.at_least, bench.now())
        if options.baseline is not None:
            report = compare(report, options.baseline, options.rule)
        if not kept.ended and not stopped:
            await bench.evaluation(id).ask(EndEvaluation(figures=report.brief(), passed=report.passed))
            report = attrs.evolve(report, ended=await _ended(runtime.store, id) or report.ended)
        return report


async def _tried(
    runtime: Runtime,
    agent: str,
    id: str,
    dataset: Dataset,
    shared: tuple[Scorer, ...],
    options: Options,
    kept: _Kept,
) -> str:
    """Run the trials that are left; why some were not, or nothing."""
    drawn: tuple[str, ...] = (options.ledger,) if options.ledger else ()
    if options.cost_usd is not None:
        drawn = (*drawn, f"{OWN}{id}")
        bench_of(runtime).lend(_budget(f"{OWN}{id}", options.cost_usd))
    trying = Trying(
        runtime=runtime, agent=runtime.agents[agent], id=id, shared=shared, people=options.people, ledgers=drawn
    )
    until = None if options.seconds is None else kept.started + options.seconds
    return await trying.all(dataset, options.repeats, kept.trials, options.at_once, until, options.on_trial)


def _report(
    id: str, begin: BeginEvaluation, dataset: Dataset, kept: _Kept, stopped: str, at_least: float | None, now: float
) -> Report:
    places = {one.name: at for at, one in enumerate(dataset.cases)}
    return Report(
        id=id,
        dataset=dataset.name,
        digest=dataset.digest,
        agent=begin.agent,
        manifest=begin.manifest,
        identity=begin.identity,
        cases=tuple(places),
        repeats=begin.repeats,
        scorers=begin.scorers,
        started=kept.started,
        ended=kept.ended or now,
        trials=tuple(sorted(kept.trials, key=lambda one: (places[one.case], one.repeat))),
        stopped=stopped,
        at_least=at_least,
    )


@attrs.define
class _Kept:
    """What the file has of an evaluation."""

    started: float = 0.0
    ended: float = 0.0
    trials: list[Trial] = attrs.field(factory=list)


def _shared(scorers: Sequence[object] | None, dataset: Dataset) -> tuple[Scorer, ...]:
    """The scorers of all cases."""
    if scorers is None:
        given = dataset.scorers or (() if any(one.scorers for one in dataset.cases) else (Exact(),))
        return as_scorers(given)
    return as_scorers([*_told(scorers), *dataset.scorers])


def _told(scorers: Sequence[object]) -> Sequence[object]:
    """The scorers with their judges, each told what was expected; what is no list is left to be refused."""
    if not isinstance(scorers, list | tuple):
        return as_scorers(scorers)
    return [Judged(one) if isinstance(one, Judge) else one for one in scorers]


def _prepared(cases: Cases) -> Dataset:
    """The set of cases, with plain functions and judges among their own scorers as scorers."""
    dataset = read_cases(cases) if isinstance(cases, str | Path) else Dataset.of(cases)
    own = tuple(attrs.evolve(one, scorers=tuple(map(as_scorer, _told(one.scorers)))) for one in dataset.cases)
    return attrs.evolve(dataset, cases=own)


def _all(shared: Sequence[Scorer], dataset: Dataset) -> list[Scorer]:
    return [*shared, *(scorer for case in dataset.cases for scorer in case.scorers)]


@asynccontextmanager
async def _opened(
    what: object, file: str | Path | None, judges: Sequence[Judged], cost_usd: float | None
) -> AsyncIterator[Runtime]:
    """The runtime that the trials run in: opened here unless it is open."""
    agents = [judge_agent(one.judge) for one in judges]
    if isinstance(what, Agent):
        runtime = Runtime(file, agents=[what])
    elif not isinstance(what, Runtime):
        raise EvaluationFault(f"{what!r} cannot be evaluated: give a Runtime or an Agent")
    elif file is not None:
        raise EvaluationFault(f"file={str(file)!r} is for an Agent: the runtime has its own, {what.place}")
    else:
        runtime = what
    bench = bench_of(runtime)
    if bench.is_open:
        if cost_usd is not None:
            raise EvaluationFault(
                "cost_usd= of a runtime that is open: open it with Runtime(ledgers=[Ledger('eval', cost_usd=...)]) and "
                "give ledger='eval'"
            )
        yield runtime
        return
    with bench.admitted(agents):
        # What an interrupted evaluation left goes on as the file is opened, and must not find its ledger gone.
        for name, limit in (await bench.lent(OWN)).items():
            bench.lend(_budget(name, limit if cost_usd is None else cost_usd))
        async with runtime:
            yield runtime


def _budget(name: str, cost_usd: float) -> Ledger:
    return Ledger(name, cost_usd=cost_usd, per="ever")


def _named(runtime: Runtime, what: object, agent: str | Agent[object]) -> str:
    """The name of the agent that is tried."""
    if isinstance(what, Agent):
        return what.name
    name = agent.name if isinstance(agent, Agent) else agent
    there = sorted(one.name for one in runtime.agents.values() if one.output is not Judgement)
    if not name and len(there) == 1:
        return there[0]
    if name not in runtime.agents:
        known = ", ".join(there) or "none"
        said = f"agent={name!r} is none of this runtime's" if name else "which agent is to be evaluated"
        raise EvaluationFault(f"{said} (there are: {known}): give agent=NAME")
    return name


def _check_judges(runtime: Runtime, judges: Sequence[Judged]) -> None:
    for one in judges:
        name = judge_agent(one.judge).name
        if name not in runtime.agents:
            raise EvaluationFault(
                f"judge {one.name!r} needs a runtime that knows it, and this one is open already: pass "
                "judge_agent(judge) among Runtime(agents=[...]), or give evaluate() the runtime before it is opened"
            )


async def _id(runtime: Runtime, key: str, begin: BeginEvaluation, shared: Sequence[Scorer]) -> str:
    """The id of the evaluation to go on with, or of the next one."""
    said = {
        "agent": begin.agent,
        "manifest": begin.manifest,
        "digest": begin.digest,
        "repeats": begin.repeats,
        "scorers": [one.identity() for one in shared],
        "key": key,
    }
    root = hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()[:12]
    number = 1
    if key:
        return f"{root}-1"
    while await _ended(runtime.store, f"{root}-{number}") or bench_of(runtime).conducts(f"{root}-{number}"):
        number += 1
    return f"{root}-{number}"


async def _ended(store: Store, id: str) -> float:
    """When it ended, as it is kept; 0 while it goes on."""
    view = await store.view(VIEW, id)
    return 0.0 if view is None else float(view.sort or 0.0)


async def _kept(store: Store, id: str) -> _Kept:
    """What the lines of an evaluation's stream say."""
    kept, bodies, after = _Kept(), list[bytes](), 0
    while page := await store.read(evaluation_stream(id), after, PAGE):
        for one in page:
            match one.kind:
                case "evaluation.started":
                    kept.started = one.at
                case "evaluation.ended":
                    kept.ended = one.at
                case "trial.ended":
                    bodies.append(one.body)
        after = page[-1].position
    kept.trials = read_trials(bodies)
    return kept
