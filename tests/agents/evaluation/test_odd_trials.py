"""What scorers, people, keys and hosts get wrong is told, ends nothing else, and never counts as a pass."""

from __future__ import annotations

import anyio
import attrs
import pytest
from tests.agents.play import call, calls

from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.approver import Approvals
from choragus.agents.errors import EvaluationFault, NotEvaluated
from choragus.agents.evaluating import Bench
from choragus.agents.evaluation import Case, Exact, Report, Score, evaluate, judge_agent
from choragus.agents.judge import Judge
from choragus.agents.limits import Limits
from choragus.agents.model import ModelRequest, Price
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore

ONE = [Case(name="one", inputs="one", expected_output="ONE")]
PASS = '{"reason": "Fine.", "score": 1, "passed": true}'


def shout(request: ModelRequest) -> str:
    """The goal in capitals."""
    return request.messages[0].text.upper()


def clerk(**options: object) -> Agent:
    """The agent that is tried."""
    return Agent("clerk", model=FunctionModel(shout), **options)  # type: ignore[arg-type]  # as Agent checks them


@pytest.mark.parametrize(
    "score",
    [
        Score(name="odd", passed=None),
        Score(name="odd", passed="yes"),  # type: ignore[arg-type]  # a user's mistake
        Score(name="odd", passed=True, value=float("nan")),
        Score(name="odd", passed=True, value=7),
        Score(name="odd", passed=True, reason=3),  # type: ignore[arg-type]  # a user's mistake
        Score(name=3, passed=True),  # type: ignore[arg-type]  # a user's mistake
    ],
)
async def test_a_score_that_says_nothing_is_an_error_and_no_pass(score: Score) -> None:
    report = await evaluate(clerk(), ONE, repeats=1, scorers=[lambda run: score], at_least=1)

    assert (report.passed, report.unjudged, report.trials[0].scores[0].error) == (None, 1, True)


async def test_reasons_are_kept_as_far_as_they_can_be() -> None:
    long = Score(name="long", passed=False, reason="half a pair \ud800 " + "z" * 100_000)

    report = await evaluate(clerk(), ONE, repeats=1, scorers=[lambda run: long], at_least=1)

    (score,) = report.trials[0].scores
    assert (report.passed, score.reason[:15], len(score.reason)) == (False, "half a pair ? z", 2_000)


async def test_a_function_whose_further_arguments_have_defaults_is_one_of_the_run() -> None:
    found = [lambda run, word=word: word in run.answer for word in ("ONE",)]

    report = await evaluate(clerk(), ONE, repeats=1, scorers=found, at_least=1)

    assert report.passed is True
    with pytest.raises(EvaluationFault, match=r"takes neither \(run\) nor \(case, run\)"):
        await evaluate(clerk(), ONE, scorers=[lambda *, run: True])


async def test_cases_may_bring_functions_and_judges_too() -> None:
    judge = Judge(ScriptedModel([PASS]), "It is fine.")
    case = Case(name="one", inputs="one", scorers=[lambda run: run.answer == "ONE", judge])  # type: ignore[arg-type]  # as of evaluate

    report = await evaluate(clerk(), [case], repeats=1, at_least=1)

    assert [(one.name, one.passed) for one in report.trials[0].scores] == [("<lambda>", True), ("judge", True)]


@pytest.mark.parametrize(
    ("expected", "answer"),
    [
        pytest.param('{"total":120,"of":[1]}', '{"of": [1], "total": 120}', id="corrected by --json-value"),
        pytest.param("[1,2]", "```json\n[1, 2]\n```", id="in a fence"),
    ],
)
async def test_the_text_of_an_object_is_compared_as_json(expected: str, answer: str) -> None:
    agent = Agent("clerk", model=FunctionModel(lambda request: answer))

    report = await evaluate(agent, [Case(name="sum", inputs="Sum.", expected_output=expected)], repeats=1, at_least=1)

    assert report.passed is True


@attrs.frozen
class Total:
    """An answer of a type."""

    total: int


async def test_a_value_of_the_answers_type_may_be_expected() -> None:
    agent = Agent("clerk", model=FunctionModel(lambda request: '{"total": 120}'), output=Total)

    report = await evaluate(agent, [Case(name="sum", inputs="Sum.", expected_output=Total(120))], repeats=1)

    assert report.passes.k == 1


@pytest.mark.parametrize("cases", [[3], 3, {"name": "x"}])
async def test_what_holds_no_cases_is_refused(cases: object) -> None:
    with pytest.raises(EvaluationFault, match=r"is no case|holds no cases"):
        await evaluate(clerk(), cases)  # type: ignore[arg-type]  # users' mistakes


@tool(risk="irreversible")
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def paying(request: ModelRequest) -> Answer:
    """It pays, and says what came of it."""
    last = request.messages[-1]
    return last.text if last.role == "tool" else calls(call("pay", amount=5))


@pytest.mark.parametrize(
    "approvals",
    [
        pytest.param(Approvals(quorum=2), id="two have to approve"),
        pytest.param(Approvals(chain=["boss"]), id="another has to approve"),
    ],
)
async def test_a_question_that_an_evaluation_cannot_answer_ends_the_run(approvals: Approvals) -> None:
    agent = Agent("clerk", model=FunctionModel(paying), tools=[pay], approvals=approvals)

    with anyio.fail_after(5):
        report = await evaluate(agent, ONE, repeats=1, people="approve")

    (trial,) = report.trials
    assert (trial.status, trial.tools) == ("cancelled", ())
    assert "its question could not be answered" in trial.reason


async def test_what_is_no_yes_and_no_no_approves_nothing() -> None:
    def people(approval: Approval) -> bool:
        return "deny"  # type: ignore[return-value]  # a user's mistake

    agent = Agent("clerk", model=FunctionModel(paying), tools=[pay])

    with pytest.raises(EvaluationFault, match=r"^people= said 'deny' of pay: give True to approve, False to deny"):
        await evaluate(agent, ONE, repeats=1, people=people)


async def test_a_runtime_has_no_guests_when_the_evaluation_is_over() -> None:
    judge = Judge(ScriptedModel([PASS]), "It is fine.")
    runtime = Runtime(agents=[clerk()])

    await evaluate(runtime, ONE, repeats=1, scorers=[judge])

    assert [*runtime.agents] == ["clerk"]
    assert (await evaluate(runtime, ONE, repeats=1, at_least=1)).passed is True


def test_what_evaluations_need_is_nothing_that_a_runtime_shows() -> None:
    shown = {name for name in dir(Runtime(agents=[clerk()])) if not name.startswith("_")}

    assert shown & {name for name in dir(Bench) if not name.startswith("_")} <= {"is_open"}


async def test_a_judge_is_never_taken_for_the_agent_that_is_tried() -> None:
    judge = Judge(ScriptedModel([PASS]), "It is fine.")
    async with Runtime(agents=[clerk(), judge_agent(judge)]) as runtime:
        report = await evaluate(runtime, ONE, repeats=1, scorers=[Exact()], at_least=1)

    assert (report.agent, report.passed) == ("clerk", True)


async def test_the_same_runtime_goes_on_with_more_money() -> None:
    price = Price(input_per_million=10_000, output_per_million=10_000)
    agent = Agent("clerk", model=FunctionModel(shout, price=price, max_output_tokens=20), limits=Limits(cost_usd=None))
    store = MemoryStore()
    runtime = Runtime(store=store, agents=[agent])

    first = await evaluate(runtime, ONE, repeats=12, at_once=1, cost_usd=0.5)
    then = await evaluate(runtime, ONE, repeats=12, at_once=1, cost_usd=50)

    assert first.stopped.endswith(" more were asked for: give more as cost_usd")
    assert (then.stopped, then.missing, first.id) == ("", 0, then.id)


async def test_an_evaluation_that_is_given_back_is_the_same_to_the_last_figure() -> None:
    store, agent = MemoryStore(), clerk()

    reports = [await evaluate(Runtime(store=store, agents=[agent]), ONE, key="mine", at_least=1) for _ in range(2)]

    assert reports[0] == reports[1]


async def test_two_at_once_under_one_key_do_not_share_their_trials() -> None:
    async with Runtime(agents=[clerk()]) as runtime:
        reports: list[Report] = []
        faults: list[str] = []

        async def one(key: str) -> None:
            try:
                reports.append(await evaluate(runtime, ONE, repeats=2, key=key))
            except EvaluationFault as fault:
                faults.append(str(fault))

        async with anyio.create_task_group() as group:
            for key in ("mine", "mine", "", ""):
                group.start_soon(one, key)

        kinds = [line.kind for line in await runtime.store.read(f"evaluation/{reports[0].id}", 0, 100)]

    assert len({one.id for one in reports}) == 3
    (fault,) = faults
    assert fault.endswith("is under way in this runtime already: wait for its end")
    assert kinds.count("trial.ended") == 2


async def test_a_key_that_looks_like_a_trials_opens_no_door() -> None:
    agent = clerk()
    async with Runtime(agents=[agent], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated):
            await runtime.start(agent, "Hello.", key="evaluation/1234-1/one/1")


async def test_what_could_not_be_judged_is_not_evaluated() -> None:
    store, agent = MemoryStore(), clerk()
    judge = Judge(FunctionModel(lambda request: "It is fine."), "It is fine.")

    report = await evaluate(Runtime(store=store, agents=[agent]), ONE, repeats=1, scorers=[judge], at_least=0.5)

    assert report.passed is None
    async with Runtime(store=store, agents=[agent], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated):
            await runtime.start(agent, "Hello.")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"repeats": 10**9}, "^repeats=1000000000 is no whole number from 1 to 1,000$"),
        ({"cost_usd": "5"}, "^cost_usd='5' leaves room for nothing"),
        ({"seconds": float("inf")}, "^seconds=inf leaves room for nothing"),
        ({"at_least": True}, "^at_least=True is no share"),
        ({"key": 3}, "^key=3 is no text"),
        ({"rule": 3}, "^rule=3 is no Rule$"),
        ({"baseline": 3}, "^baseline=3 is no Baseline$"),
        ({"on_trial": 3}, "^on_trial=3 cannot be called"),
    ],
)
async def test_an_option_that_is_none_is_refused_in_words(options: dict[str, object], told: str) -> None:
    with pytest.raises(EvaluationFault, match=told):
        await evaluate(clerk(), ONE, **options)  # type: ignore[arg-type]  # users' mistakes
