"""Answers of a type: what the model is told, what goes back to it, and how a run ends that never answers in it."""

from __future__ import annotations

import dataclasses
from enum import Enum
from typing import Any, Literal, TypedDict, cast

import attrs
import msgspec
import pytest

from choragus.agents.agent import Agent
from choragus.agents.checkpoint import BeforeAnswer
from choragus.agents.errors import AgentFault, Failed, LimitReached, WrongAnswer
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, OutputSchema
from choragus.agents.output import Output, bare
from choragus.agents.policy import Allow, Check, Rewrite, Stage, Verdict
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.sync import run_sync

from .play import Ledger, Mortal, Rule, call, calls, data, kinds, live, scripted, tools


class Mood(Enum):
    GOOD = "good"
    BAD = "bad"


@attrs.frozen
class Line:
    item: str
    amount: int = attrs.field(validator=attrs.validators.ge(0))


@attrs.frozen
class Report:
    title: str
    lines: tuple[Line, ...] = ()
    mood: Mood = Mood.GOOD


@dataclasses.dataclass
class Tree:
    name: str
    below: list[Tree] = dataclasses.field(default_factory=list)


class Sum(TypedDict):
    total: int


GOOD = '{"title":"week","lines":[{"item":"pen","amount":2}],"mood":"bad"}'
WEEK = Report("week", (Line("pen", 2),), Mood.BAD)
BAD = '{"title":"week","lines":[{"item":"pen","amount":"two"}]}'
FAULT = "Expected `int`, got `str` - at `$.lines[0].amount`"


def reporter(*replies: Answer, **options: Any) -> Agent[Report]:
    return Agent("reporter", model=ScriptedModel(replies), output=Report, **options)


def requests(agent: Agent[Any]) -> list[ModelRequest]:
    """What its scripted model was sent."""
    return cast("ScriptedModel", agent.model).requests


@pytest.mark.parametrize(
    ("type", "text", "value"),
    [
        pytest.param(Report, GOOD, WEEK, id="attrs"),
        pytest.param(Tree, '{"name":"a","below":[{"name":"b"}]}', Tree("a", [Tree("b")]), id="dataclass"),
        pytest.param(Sum, '{"total":3}', {"total": 3}, id="typed-dict"),
        pytest.param(list[int], "[1,2]", [1, 2], id="list"),
        pytest.param(Literal["yes", "no"], '"yes"', "yes", id="literal"),
        pytest.param(int | None, "null", None, id="union"),
    ],
)
def test_an_answer_is_of_its_type(type: Any, text: str, value: object) -> None:
    agent = Agent("a", model=ScriptedModel([text]), output=type)

    assert run_sync(agent, "Go.") == value


def test_an_answer_may_be_a_model_of_pydantic() -> None:
    pydantic = pytest.importorskip("pydantic")

    made = pydantic.create_model("Made", amount=(int, ...), names=(list[str], []))
    agent = Agent("a", model=ScriptedModel(['{"amount": "2", "names": [1]}', '{"amount": 2}']), output=made)

    assert run_sync(agent, "Go.") == made(amount=2)
    sent_back = requests(agent)[1].messages[-1].text
    assert "Input should be a valid integer - at `$.amount`; Input should be a valid string - at `$.names[0]`" in (
        sent_back
    )


def test_without_a_type_an_answer_is_the_text_as_it_is() -> None:
    agent = Agent("a", model=ScriptedModel(['```json\n{"a": 1}\n```']))

    assert run_sync(agent, "Go.") == '```json\n{"a": 1}\n```'
    assert requests(agent)[0].output is None


def test_the_model_is_told_the_schema() -> None:
    agent = reporter(GOOD)

    run_sync(agent, "Go.")

    asked = requests(agent)[0].output
    assert isinstance(asked, OutputSchema)
    assert (asked.name, asked.schema["type"], asked.schema["required"]) == ("Report", "object", ["title"])


def test_the_root_of_a_schema_is_written_out_also_when_it_refers_to_itself() -> None:
    schema = Output(Tree).schema

    assert schema["type"] == "object"
    assert "Tree" in cast("dict[str, object]", schema["$defs"])


@pytest.mark.parametrize(
    "text",
    [GOOD, f"```json\n{GOOD}\n```", f"\n```\n{GOOD}\n```  \n", f"```JSON\r\n{GOOD}\r\n```"],
    ids=["bare", "json", "plain-fence", "windows"],
)
async def test_a_code_fence_around_an_answer_is_taken_off(text: str) -> None:
    agent = reporter(text)

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result() == WEEK
        assert (await run.status()).outcome == GOOD


@pytest.mark.parametrize("text", ["", "```", "```json", "```json\n1", "x ```\n1\n```", "```python\n1\n```", "```\n```"])
def test_what_is_no_fence_around_all_of_it_stays(text: str) -> None:
    assert bare(text) == ("" if text == "```\n```" else text)


async def test_an_answer_that_does_not_fit_is_sent_back_with_the_path_of_the_fault() -> None:
    agent = reporter(BAD, GOOD)

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result() == WEEK
        (refused,) = await data(run, "reply.refused")
    told = requests(agent)[1].messages
    assert told[-2] == ChatMessage("assistant", BAD)
    assert told[-1].text.startswith(
        f"Your output does not pass: {FAULT}. Answer with nothing but JSON of this schema: {{"
    )
    assert (refused["stage"], refused["step"]) == ("output", 1)
    assert str(refused["reason"]).startswith(FAULT)


@pytest.mark.parametrize(("repairs", "times"), [(0, "once"), (1, "2 times"), (2, "3 times")])
async def test_a_run_that_never_answers_in_its_type_fails_with_the_fault(repairs: int, times: str) -> None:
    agent = reporter(*[BAD] * 9, repairs=repairs)

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=rf"failed: the answer was no Report {times}: Expected `int`, got `str`"):
            await run.result()
        assert (await kinds(run)).count("reply.refused") == repairs + 1
    assert len(requests(agent)) == repairs + 1


async def test_repairs_are_counted_over_calls_in_between() -> None:
    look, *_ = tools(Ledger())
    again = calls(call("look", at="it"))
    agent = reporter(BAD, again, BAD, again, BAD, GOOD, tools=[look])

    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(Failed, match=r"the answer was no Report 3 times"):
            await (await runtime.start(agent, "Go.")).result()


@pytest.mark.parametrize("stop", ["length", "refusal"])
async def test_a_reply_that_was_cut_off_or_refused_is_not_repaired(stop: Literal["length", "refusal"]) -> None:
    agent = reporter(ModelReply(text=GOOD, stop=stop), GOOD)

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        with pytest.raises(Failed, match=rf"the model stopped with '{stop}' instead of an answer"):
            await run.result()
        assert "reply.refused" not in await kinds(run)


@pytest.mark.parametrize(("last", "fits"), [(GOOD, True), (BAD, False)])
async def test_the_last_answer_of_a_degraded_run_is_checked_too(last: str, fits: bool) -> None:
    look, *_ = tools(Ledger())
    agent = reporter(
        calls(call("look", at="it")), last, GOOD, tools=[look], limits=Limits(steps=2, at_limit={"steps": "degrade"})
    )

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        if fits:
            assert await run.result() == WEEK
        else:
            with pytest.raises(LimitReached, match=r"and the last answer does not pass: Expected `int`"):
                await run.result()
    assert requests(agent)[1].output is not None


def _rewrite(text: str) -> Rule:
    def says(check: Check) -> Verdict:
        return Rewrite(text=check.text.replace("week", text), reason="because")

    return Rule(Stage.OUTPUT, says)


async def test_an_answer_that_a_policy_has_rewritten_must_still_fit() -> None:
    agent = reporter(*[GOOD] * 3, policies=[_rewrite('"')])

    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(Failed, match=r"the answer was no Report 3 times"):
            await (await runtime.start(agent, "Go.")).result()


async def test_an_answer_that_was_rewritten_and_fits_is_the_result() -> None:
    agent = reporter(GOOD, policies=[_rewrite("day")])

    async with Runtime(agents=[agent]) as runtime:
        assert (await (await runtime.start(agent, "Go.")).result()).title == "day"


async def test_policies_and_people_see_no_answer_that_does_not_fit() -> None:
    seen: list[str] = []

    def says(check: Check) -> Verdict:
        seen.append(check.text)
        return Allow()

    agent = reporter(BAD, f"```\n{GOOD}\n```", policies=[Rule(Stage.OUTPUT, says)], checkpoints=[BeforeAnswer()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        async for event in run.events():
            if event.kind == "approval.requested":
                (approval,) = await run.pending()
                await run.approve(approval, by="mia")

        assert await run.result() == WEEK
    assert set(seen) == {GOOD}


def test_a_run_that_is_opened_again_answers_in_its_type() -> None:
    store = Mortal()
    agent = reporter(BAD, GOOD)

    async def first(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.")
        await run.result()
        return run.id

    id = live(store, agent, first)
    assert id is not None

    async def second(runtime: Runtime) -> object:
        return await (await runtime.run(id)).result()

    assert live(store, agent, second) == WEEK


def test_repairs_are_counted_over_a_crash() -> None:
    for dies_at in range(1, 40):
        store = Mortal()
        store.dies_at = dies_at
        agent = reporter(*[BAD] * 9, repairs=1)

        async def play(runtime: Runtime, agent: Agent[Report] = agent) -> str:
            with pytest.raises(Failed) as failed:
                await (await runtime.start(agent, "Go.", key="k")).result()
            return failed.value.reason

        reason = live(store, agent, play)
        died = reason is None
        if died:
            store.revive()
            reason = live(store, agent, play)

        assert str(reason).startswith("the answer was no Report 2 times")
        if not died:
            return
    raise AssertionError("it never came to its end")


async def test_a_fork_answers_in_its_type_and_goes_on_where_an_answer_was_sent_back() -> None:
    agent = reporter(BAD, GOOD)

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result()
        (refused,) = [event async for event in run.past() if event.kind == "reply.refused"]

        fork = await runtime.fork(run.id, at=refused.position)

        assert await fork.result() == WEEK


def test_an_old_answer_that_is_not_of_a_new_type_is_told_as_such() -> None:
    store = Mortal()
    old = scripted("words", name="reporter")

    async def first(runtime: Runtime) -> str:
        run = await runtime.start(old, "Go.")
        await run.result()
        return run.id

    id = live(store, old, first)
    assert id is not None

    async def second(runtime: Runtime) -> None:
        with pytest.raises(WrongAnswer, match=r"its answer is no Report: JSON is malformed.*\(await run.status\(\)\)"):
            await (await runtime.run(id)).result()

    live(store, reporter(), second)


def test_another_type_is_another_identity() -> None:
    text = Agent("a", model=FunctionModel(lambda _: ""))
    typed = Agent("a", model=FunctionModel(lambda _: ""), output=Report)
    other = Agent("a", model=FunctionModel(lambda _: ""), output=Sum)

    assert len({manifest(each).hash for each in (text, typed, other)}) == 3
    assert (manifest(text).output, manifest(typed).output) == ("", Output(Report).digest)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (
            {"output": complex},
            r"^<class 'complex'>: no JSON Schema can be made of it: type <class 'complex'> is not supported: give ",
        ),
        ({"output": None}, r"^output=None of agent 'a' is no type: leave it out"),
        ({"output": "Report"}, r"^'Report': no JSON Schema can be made of it"),
        ({"output": Report, "repairs": -1}, r"^repairs=-1 of agent 'a' must be a whole number, 0 or more"),
        ({"output": Report, "repairs": True}, r"^repairs=True of agent 'a' must be a whole number"),
    ],
)
def test_a_type_that_is_none_is_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(AgentFault, match=says):
        Agent("a", model=ScriptedModel([]), **options)


@pytest.mark.parametrize("text", ['{"total": "3"}', '{"total": 3.0}', '{"total": true}', '{"total": null}', "3", "{}"])
def test_the_check_is_strict(text: str) -> None:
    assert Output(Sum).fault(text)


def _stumbles(instance: object, attribute: object, value: str) -> None:
    raise KeyError(value)


@attrs.frozen
class Odd:
    name: str = attrs.field(validator=_stumbles)


def test_a_check_that_stumbles_over_an_answer_is_a_fault_of_the_answer() -> None:
    assert Output(Odd).fault('{"name": "x"}') == "its check raised KeyError: 'x'"


def test_a_deep_answer_is_a_fault_and_no_crash() -> None:
    assert Output(Tree).fault('{"name":"a","below":[' * 100_000)


def test_what_is_told_of_a_fault_is_bounded() -> None:
    assert len(Output(Literal["a"]).fault(msgspec.json.encode("x" * 100_000).decode())) <= 1_000  # type: ignore[arg-type]  # no class to a type checker
