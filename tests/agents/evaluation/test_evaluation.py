"""An evaluation runs its trials as ordinary runs, scores them, keeps them, and goes on where it was interrupted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Self

import anyio
import anyio.lowlevel
import msgspec
import pytest
from tests.agents.play import Mortal, PowerCut, call, calls

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.ended import EndedRun
from choragus.agents.errors import EvaluationFault, ModelError
from choragus.agents.evaluating import bench_of
from choragus.agents.evaluation import Case, Contains, Exact, Report, Score, Trajectory, evaluate, judge_agent, printed
from choragus.agents.judge import Judge
from choragus.agents.ledger import Ledger as Account
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest, Price
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore

CASES = [Case(name=name, inputs=name, expected_output=name.upper()) for name in ("one", "two", "odd")]
PASS = '{"reason": "It is loud.", "score": 0.9, "passed": true}'
CENT = Price(input_per_million=10_000, output_per_million=10_000)


def shout(request: ModelRequest) -> str:
    """The goal in capitals; of `odd` something else."""
    goal = request.messages[0].text
    return "?" if goal == "odd" else goal.upper()


def noting(asked: list[str], says: str = "") -> Callable[[ModelRequest], Answer]:
    """A model that notes what it is asked, and says that, or shouts."""

    def answer(request: ModelRequest) -> str:
        asked.append(request.messages[0].text)
        return says or shout(request)

    return answer


def clerk(model: Callable[[ModelRequest], Answer] = shout, price: Price | None = None, **options: object) -> Agent:
    """The agent that is tried."""
    return Agent("clerk", model=FunctionModel(model, price=price, max_output_tokens=20), **options)  # type: ignore[arg-type]  # as Agent checks them


def counted(report: Report) -> dict[str, tuple[int, int]]:
    """How many of how many trials passed, by case."""
    return {one.name: (one.passed, one.judged) for one in report.results}


async def test_every_trial_is_a_run_that_is_scored() -> None:
    asked: list[str] = []

    report = await evaluate(clerk(noting(asked)), CASES, repeats=2)

    assert counted(report) == {"one": (2, 2), "two": (2, 2), "odd": (0, 2)}
    assert sorted(asked) == ["odd", "odd", "one", "one", "two", "two"]
    assert (report.passes.k, report.passes.n, report.figures.completion.value) == (4, 6, 1.0)
    assert report.pass_all(2).value == pytest.approx(2 / 3)
    assert (report.passed, report.stopped, report.missing) == (None, "", 0)
    assert report.results[2].why == "exact: '?' is not 'ODD'"


async def test_what_it_came_to_is_kept_for_others_to_read() -> None:
    store = MemoryStore()
    agent = clerk()

    report = await evaluate(Runtime(store=store, agents=[agent]), CASES, repeats=1, at_least=0.5)

    (view,) = await store.views("evaluation")
    body = json.loads(view.body or b"")
    lines = [(one.kind, json.loads(one.body)) for one in await store.read(f"evaluation/{report.id}", 0, 100)]
    assert (view.key, view.scope, view.sort) == (report.id, report.manifest, body["ended"])
    assert (body["agent"], body["dataset"], body["cases"], body["repeats"]) == ("clerk", "cases", 3, 1)
    assert (body["passed"], body["figures"]["completion"]["k"], body["figures"]["passes"]["k"]) == (True, 3, 2)
    assert [kind for kind, _ in lines] == [
        "evaluation.started",
        *["trial.ended", "evaluation.result"] * 3,
        "evaluation.ended",
    ]
    said = {data["case"]: data for kind, data in lines if kind == "evaluation.result"}
    assert said["one"]["gen_ai.evaluation.score.label"] == "pass"
    assert said["odd"]["gen_ai.evaluation.explanation"] == "'?' is not 'ODD'"
    assert said["one"]["run"] in {one.run for one in report.trials}


async def test_the_same_again_is_another_evaluation_and_under_a_key_the_same_one() -> None:
    asked: list[str] = []
    agent = clerk(noting(asked))

    store = MemoryStore()
    ids = [
        (await evaluate(Runtime(store=store, agents=[agent]), CASES, repeats=1, key=key)).id
        for key in ("", "", "k", "k")
    ]

    assert [len(set(ids)), len(asked)] == [3, 9]
    assert ids[2] == ids[3]


@pytest.mark.parametrize("after", [False, True])
def test_after_a_crash_it_goes_on_and_nothing_that_has_ended_is_run_again(after: bool) -> None:
    """The process dies with every eighth commit; together its lives call the model once for each trial, and once more
    for those that were under way."""
    asked: list[str] = []
    agent = clerk(noting(asked))
    store, lives = Mortal(), 0
    report: Report | None = None
    while report is None:
        store.revive()
        store.dies_at, store.after, lives = 8, after, lives + 1
        assert lives < 60
        report = _life(store, agent)

    assert lives > 3
    assert counted(report) == {"one": (2, 2), "two": (2, 2), "odd": (0, 2)}
    assert len({one.run for one in report.trials}) == 6
    assert len(asked) <= 6 + lives
    assert anyio.run(_kinds, store, report.id).count("evaluation.started") == 1


async def _kinds(store: MemoryStore, id: str) -> list[str]:
    return [one.kind for one in await store.read(f"evaluation/{id}", 0, 500)]


async def test_runs_that_were_cut_off_find_their_ledger_as_the_file_is_opened() -> None:
    """They go on before the evaluation does, and a ledger that nobody knows would end them."""
    known: list[bool] = []

    class Watched(Runtime):
        async def __aenter__(self) -> Self:
            opened = await super().__aenter__()
            known.append(bench_of(self).has_ledger(f"evaluation-{first.id}"))
            return opened

    agent, store = clerk(price=CENT, limits=Limits(cost_usd=None)), MemoryStore()
    first = await evaluate(Runtime(store=store, agents=[agent]), CASES, repeats=4, at_once=2, cost_usd=0.5)

    await evaluate(Watched(store=store, agents=[agent]), CASES, repeats=4, at_once=2, cost_usd=50)
    await evaluate(Watched(store=store, agents=[agent]), CASES, repeats=1)

    assert known == [True, True]


def _life(store: MemoryStore, agent: Agent, cost_usd: float | None = None) -> Report | None:
    async def play() -> Report | None:
        try:
            runtime = Runtime(store=store, agents=[agent])
            return await evaluate(runtime, CASES, repeats=2, at_once=1, cost_usd=cost_usd)
        except BaseException as error:
            group = error if isinstance(error, BaseExceptionGroup) else None
            if group is None or group.subgroup(PowerCut) is None:
                raise
        return None

    return anyio.run(play)


async def test_another_agent_or_other_cases_are_another_evaluation() -> None:
    store, shouting = MemoryStore(), clerk(prompt="Shout.")

    reports = [
        await evaluate(Runtime(store=store, agents=[clerk()]), CASES, repeats=1),
        await evaluate(Runtime(store=store, agents=[shouting]), CASES, repeats=1),
        await evaluate(Runtime(store=store, agents=[clerk()]), CASES[:2], repeats=1),
        await evaluate(Runtime(store=store, agents=[clerk()]), CASES, repeats=1, scorers=[Contains()]),
    ]

    assert len({one.id.partition("-")[0] for one in reports}) == 4


async def test_no_more_runs_go_on_at_a_time_than_allowed() -> None:
    now, most = 0, 0

    async def slow(request: ModelRequest) -> str:
        nonlocal now, most
        now, most = now + 1, max(most, now + 1)
        await anyio.lowlevel.checkpoint()
        now -= 1
        return shout(request)

    await evaluate(clerk(slow), CASES, repeats=3, at_once=2)  # type: ignore[arg-type]  # a coroutine function too

    assert most == 2


@tool(risk="irreversible")
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def paying(request: ModelRequest) -> Answer:
    """It pays, and says what came of it."""
    last = request.messages[-1]
    return f"{last.text} {last.is_error}" if last.role == "tool" else calls(call("pay", amount=5))


@pytest.mark.parametrize(
    ("people", "status", "ran"),
    [
        ("cancel", "cancelled", ()),
        ("deny", "completed", ()),
        ("approve", "completed", ("pay",)),
        (lambda approval: approval.arguments["amount"] < 9, "completed", ("pay",)),
        (lambda approval: None, "cancelled", ()),
    ],
)
async def test_where_a_run_asks_a_person_it_is_said_beforehand_what_happens(
    people: Callable[[Approval], bool | None], status: str, ran: tuple[str, ...]
) -> None:
    report = await evaluate(clerk(paying, tools=[pay]), CASES[:1], repeats=1, people=people)

    (trial,) = report.trials
    assert (trial.status, trial.tools, trial.questions) == (status, ran, 1)
    assert report.figures.escalation.value == 1.0


def loud(request: ModelRequest) -> str:
    """A judge that passes what is loud."""
    said = msgspec.json.decode(request.messages[0].text)["answer"]
    return json.dumps({"reason": f"{said} was said.", "score": 0.75, "passed": said.isupper()})


async def test_a_judge_scores_and_what_it_costs_is_counted_apart() -> None:
    judge = Judge(
        FunctionModel(loud, price=Price(input_per_million=100), max_output_tokens=50), "It is loud.", name="loud"
    )

    report = await evaluate(clerk(), CASES, scorers=[Exact(), judge], repeats=1)

    by_case = {one.case: one.scores for one in report.trials}
    assert [(one.name, one.value, one.passed) for one in by_case["one"]] == [("exact", 1.0, True), ("loud", 0.75, True)]
    assert [(one.name, one.passed, one.reason) for one in by_case["odd"]][1] == ("loud", False, "? was said.")
    assert report.judging_usd > 0
    assert report.figures.cost.total == 0
    assert "cost of judges" in printed(report)


@pytest.mark.parametrize("says", ["It is fine.", '{"passed": true}', '{"reason": "", "score": 7, "passed": true}'])
async def test_a_judge_that_fails_is_an_error_and_no_score_of_0(says: str) -> None:
    judge = Judge(FunctionModel(lambda request: says), "It is loud.")

    report = await evaluate(clerk(), CASES[:1], scorers=[judge], repeats=1, at_least=0.0)

    (trial,) = report.trials
    (score,) = trial.scores
    assert (score.error, score.passed, score.value) == (True, None, None)
    assert (trial.passed, report.unjudged, report.passes.n, report.passed) == (None, 1, 0, None)
    assert "judge failed: " in report.results[0].why
    assert "trials without a verdict" in printed(report)


async def test_a_scorer_that_raises_is_an_error_too() -> None:
    def broken(run: EndedRun) -> bool:
        raise LookupError("gone")

    report = await evaluate(clerk(), CASES, scorers=[broken, Exact()], repeats=1)

    assert [one.passed for one in report.trials] == [None, None, False]
    assert report.results[0].why == "broken failed: it raised LookupError: gone"


async def test_a_judge_is_asked_once_for_a_trial_whatever_happens_behind_it(tmp_path: Path) -> None:
    asked: list[str] = []
    judge = Judge(FunctionModel(noting(asked, PASS)), "It is loud.")

    def told(trial: object, done: int, whole: int) -> None:
        if done == 2 and not stopped:
            stopped.append(1)
            raise KeyError("the host stumbles")

    stopped: list[int] = []
    with pytest.raises(KeyError, match="stumbles"):
        await evaluate(clerk(), CASES, scorers=[judge], repeats=1, at_once=1, file=tmp_path / "a.db", on_trial=told)
    report = await evaluate(
        clerk(), CASES, scorers=[judge], repeats=1, at_once=1, file=tmp_path / "a.db", on_trial=told
    )

    assert (len(asked), len(report.trials), report.missing) == (3, 3, 0)


async def test_an_open_runtime_has_to_know_the_judge() -> None:
    judge = Judge(ScriptedModel([PASS]), "It is loud.")
    agent = clerk()
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(EvaluationFault, match="judge 'judge' needs a runtime that knows it"):
            await evaluate(runtime, CASES[:1], scorers=[judge])
    async with Runtime(agents=[agent, judge_agent(judge)]) as runtime:
        report = await evaluate(runtime, CASES[:1], scorers=[judge], repeats=1)

    assert report.passes.value == 1.0


async def test_a_ceiling_on_money_stops_it_and_when_it_is_raised_it_goes_on() -> None:
    agent, store = clerk(price=CENT, limits=Limits(cost_usd=None)), MemoryStore()

    first = await evaluate(Runtime(store=store, agents=[agent]), CASES, repeats=4, at_once=2, cost_usd=0.5)
    second = await evaluate(Runtime(store=store, agents=[agent]), CASES, repeats=4, at_once=2, cost_usd=50)

    assert "ledger evaluation-" in first.stopped
    assert 0 < len(first.trials) < 12
    assert sum(one.cost_usd for one in first.trials) <= 0.5
    assert first.passed is None
    assert (second.id, len(second.trials), second.stopped) == (first.id, 12, "")
    assert {one.status for one in second.trials} == {"completed"}


async def test_an_open_runtime_lends_one_of_its_ledgers() -> None:
    agent = clerk(price=CENT, limits=Limits(cost_usd=None))
    async with Runtime(agents=[agent], ledgers=[Account("eval", cost_usd=0.5, per="ever")]) as runtime:
        report = await evaluate(runtime, CASES, repeats=4, at_once=2, ledger="eval")
        with pytest.raises(EvaluationFault, match="cost_usd= of a runtime that is open"):
            await evaluate(runtime, CASES, cost_usd=1)
        with pytest.raises(EvaluationFault, match="ledger='other' is none"):
            await evaluate(runtime, CASES, ledger="other")

    assert "ledger eval" in report.stopped


async def test_a_ceiling_on_time_lets_no_trial_begin_behind_it() -> None:
    now = [1000.0]

    def later(request: ModelRequest) -> str:
        now[0] += 10
        return shout(request)

    agent, store = clerk(later), MemoryStore()
    made = [Runtime(store=store, agents=[agent], clock=lambda: now[0]) for _ in range(1)]
    report = await evaluate(made[0], CASES, repeats=2, at_once=1, seconds=25)

    assert (len(report.trials), report.stopped) == (3, "its time was used up")
    assert await store.views("evaluation") == []


async def test_a_run_that_fails_is_a_trial_that_did_not_pass() -> None:
    agent = Agent("clerk", model=ScriptedModel([ModelError("gone")]))

    report = await evaluate(agent, CASES[:1], repeats=1)

    assert (report.figures.errors.value, report.passes.value) == (1.0, 0.0)
    assert report.results[0].why == "failed: the model failed once: gone"


async def test_what_the_agent_declares_as_success_counts_too() -> None:
    agent = clerk(success=lambda ended: "W" in ended.answer)

    report = await evaluate(agent, CASES[:2], repeats=1)

    assert [(one.succeeded, one.passed) for one in report.trials] == [(False, False), (True, True)]
    assert report.figures.completion.value == 0.5


async def test_a_score_has_a_name_of_its_own() -> None:
    case = Case(name="a", inputs="one", expected_output="ONE", scorers=(Exact(), Contains(name="exact")))

    report = await evaluate(clerk(), [case], scorers=[Exact()], repeats=1)

    assert [one.name for one in report.trials[0].scores] == ["exact", "exact 2", "exact 3"]


async def test_what_a_scorer_repeats_may_hold_anything_and_the_report_stays_on_its_lines() -> None:
    def red(run: EndedRun) -> Score:
        return Score(name="red", passed=False, value=0.0, reason="\x1b[31mPASSED\x1b[0m\n" * 20)

    text = printed(await evaluate(clerk(), CASES, scorers=[red], repeats=1))

    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"repeats": 0}, "repeats=0 is no whole number"),
        ({"at_once": True}, "at_once=True"),
        ({"cost_usd": 0.0}, "cost_usd=0.0 leaves room for nothing"),
        ({"at_least": 2}, "at_least=2 is no share"),
        ({"people": "ask"}, "people='ask' is none of"),
        ({"scorers": ["exact"]}, "'exact' is no scorer"),
        ({"baseline": "nowhere.json"}, "there is no baseline nowhere.json"),
        ({"cases": []}, "there is no case"),
    ],
)
async def test_a_wrong_option_is_refused_before_anything_runs(options: dict[str, object], told: str) -> None:
    asked: list[str] = []
    agent = clerk(noting(asked))

    with pytest.raises(EvaluationFault, match=told):
        await evaluate(agent, **{"cases": CASES, **options})  # type: ignore[arg-type]  # the subject

    assert asked == []


async def test_of_several_agents_one_is_named() -> None:
    agents = [clerk(), Agent("other", model=ScriptedModel(["x"]))]

    with pytest.raises(EvaluationFault, match=r"which agent is to be evaluated \(there are: clerk, other\)"):
        await evaluate(Runtime(agents=agents), CASES)
    with pytest.raises(EvaluationFault, match="agent='third' is none"):
        await evaluate(Runtime(agents=agents), CASES, agent="third")
    assert (await evaluate(Runtime(agents=agents), CASES, agent="clerk", repeats=1)).agent == "clerk"


async def test_the_trajectory_of_a_trial_is_what_ran() -> None:
    case = Case(name="pay", inputs="pay", trajectory=("pay",))
    agent = clerk(paying, tools=[pay])

    report = await evaluate(agent, [case], scorers=[Trajectory(order="exact")], repeats=1, people="approve")

    assert report.trials[0].tools == ("pay",)
    assert report.passes.value == 1.0
