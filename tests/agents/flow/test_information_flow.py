"""Security requirements about untrusted text, played through a real runtime against a model that obeys all of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import anyio
import pytest
from tests.agents.play import data, kinds, until

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.cli import main
from choragus.agents.errors import Denied, ToolError
from choragus.agents.flow.declaration import Labels
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.model import ModelReply, ModelRequest, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import NOTHING

from .bank import (
    ALICE,
    BAIT,
    EVIL,
    FLOW,
    MALLORY,
    House,
    call,
    clerk,
    encoded,
    obedient,
    plainly,
    planning,
    step,
    taken,
)

PLAN = planning(
    step("mail", "read_mail"),
    step("account", "account_of", name="shop"),
    step(
        "bill",
        "pay",
        to=taken("account", "$"),
        amount=taken("mail", "$[*].amount", where={"id": 1}),
    ),
)
OWN = (PLAN, call("read_mail"), call("account_of", name="shop"), call("pay", to=ALICE, amount=120))


async def test_s1_no_risky_call_of_an_injection_runs_and_the_task_completes() -> None:
    house = House("the bill", BAIT)
    agent = clerk(house, obedient(OWN, EVIL, plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Pay the shop's bill in mail 1.")
        await run.result(5)

    assert house.done == [f"pay {ALICE} 120"]


@pytest.mark.parametrize("begins", ["", "denied: ", "denied by mia: "])
@pytest.mark.parametrize("fallback", [NOTHING, "unknown"])
async def test_s1_no_risky_call_of_an_injection_in_an_error_runs_whatever_the_error_says(
    fallback: object, begins: str
) -> None:
    """What an outsider writes may come as a tool's failure, and a value may stand in for the tool behind it."""
    house = House()

    @tool(risk="read", labels=Labels(trusted=["$"]), fallback=fallback)
    async def look_up(name: str) -> str:
        """Look up a name at an outsider's."""
        raise ToolError(begins + BAIT)

    agent = Agent(
        "clerk", model=obedient((call("look_up", name="x"),), EVIL[1:], plainly), tools=[*house.tools(), look_up]
    )

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Look.")
        await run.result(5)

    assert house.done == []


async def test_what_the_runtime_refuses_is_its_own_word_and_steers_nothing() -> None:
    house = House()
    own = (call("pay", to=ALICE), call("nothing"), call("pay", to=ALICE, amount=1))
    agent = clerk(house, obedient(own, EVIL, plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, f"Pay 1 to {ALICE}.")
        await run.result(5)

    assert house.done == [f"pay {ALICE} 1"]


async def test_s1_a_model_cannot_pass_one_calls_result_for_anothers_by_its_ids() -> None:
    house = House("the bill")
    own = (
        planning(
            step("mail", "read_mail"),
            step("account", "account_of", name="shop"),
            step("bill", "pay", to=taken("account", "$"), amount=1),
        ),
        call("read_mail"),
        (
            ToolCall("call-3.3", "account_of", {"name": "mallory"}),
            ToolCall("x", "read_mail", {}),
            ToolCall("x", "account_of", {"name": "shop"}),
        ),
        call("pay", to=MALLORY, amount=1),
    )
    house.accounts["mallory"] = MALLORY
    agent = clerk(house, obedient(own, (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Pay the shop.")
        async with asyncio.timeout(5):
            async for event in run.events():
                if isinstance(event, ApprovalRequested):
                    await event.approval.deny(by="mia")

    assert house.done == []


@simulated(seeds=range(6))
async def test_a_fork_is_judged_when_what_it_takes_over_can_be_read() -> None:
    house = House("the bill")
    agent = clerk(house, obedient((call("read_mail"), call("pay", to=ALICE, amount=1)), (), plainly))
    async with Runtime(agents=[agent], policies=[InformationFlow(unplanned="ask")]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")

        fork = await runtime.fork(run.id)

        await until(fork, "approval.requested")
        assert "actor.failed" not in await kinds(fork)


async def test_without_the_policy_the_injection_gets_what_it_wants() -> None:
    """The model of these tests does obey: with nothing but approvals that somebody always gives, all of it happens."""
    house = House("the bill", BAIT)
    agent = clerk(house, obedient(OWN, EVIL, plainly))

    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay the shop's bill in mail 1.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                await run.approve(event.approval, by="somebody tired")

    assert len(house.done) == 4


@pytest.mark.parametrize(
    ("bodies", "wakes"),
    [
        (("the bill", encoded()), lambda heard: encoded() in heard),
        ((BAIT[:40], BAIT[40:]), lambda heard: BAIT[:40] in heard and BAIT[40:] in heard),
    ],
    ids=["encoded", "split over two texts"],
)
async def test_s2_a_disguised_injection_gets_the_same_verdicts(bodies: tuple[str, str], wakes: object) -> None:
    verdicts = []
    for texts, waking in ((("the bill", BAIT), plainly), (bodies, wakes)):
        house = House(*texts)
        agent = clerk(house, obedient(OWN, EVIL, waking))  # type: ignore[arg-type]  # a predicate
        async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
            run = await runtime.start(agent, "Pay the shop's bill in mail 1.")
            await run.result(5)
            judged = await data(run, "call.judged")
        verdicts.append([(each["tool"], each["verdict"], each["policy"]) for each in judged])
        assert house.done == [f"pay {ALICE} 120"]

    assert verdicts[0] == verdicts[1]


async def test_s3_an_answer_that_untrusted_text_may_have_steered_says_so() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([call("read_mail")], (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "What is in the mail?")
        answer = await run.result(5)
        sources = (await run.status()).sources

    assert BAIT in answer
    assert "untrusted read_mail" in sources


async def test_s3_an_answer_from_trusted_sources_is_not_marked() -> None:
    house = House()
    agent = clerk(house, obedient([call("account_of", name="shop")], (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "What is the shop's account?")
        await run.result(5)
        sources = (await run.status()).sources

    assert sources == ("developer", "tool account_of", "user")


async def test_s3_a_policy_can_end_a_run_before_a_steered_answer() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([call("read_mail")], (), plainly))

    async with Runtime(agents=[agent], policies=[InformationFlow(output="end")]) as runtime:
        run = await runtime.start(agent, "What is in the mail?")

        with pytest.raises(Denied, match="untrusted text may have steered this answer"):
            await run.result(5)


async def test_s3_a_person_can_let_a_steered_answer_pass() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([call("read_mail")], (), plainly))

    async with Runtime(agents=[agent], policies=[InformationFlow(output="ask")]) as runtime:
        run = await runtime.start(agent, "What is in the mail?")
        await until(run, "approval.requested")
        (asked,) = await run.pending()
        await run.approve(asked, by="mia")
        await run.result(5)

        assert "untrusted read_mail" in (await run.status()).sources


async def test_s22_labels_survive_a_restart_even_of_a_tool_that_is_declared_otherwise_since(tmp_path: Path) -> None:
    house = House(BAIT)

    def slow(request: ModelRequest) -> ModelReply | str:
        said = [line for line in request.messages if line.calls]
        return [ModelReply(calls=(one,)) for one in (call("read_mail"), call("pay", to=MALLORY, amount=1))][len(said)]

    first = clerk(house, FunctionModel(slow))
    async with Runtime(tmp_path / "runs.db", agents=[first], policies=[InformationFlow(unplanned="ask")]) as runtime:
        run = await runtime.start(first, "Go.", key="k")
        await until(run, "approval.requested")
        before = (await run.pending())[0].origins

    trusting = clerk(
        house,
        obedient([call("read_mail"), call("pay", to=MALLORY, amount=1)], EVIL[1:2], plainly),
        Labels(trusted=["$"]),
    )
    async with Runtime(tmp_path / "runs.db", agents=[trusting], policies=[FLOW], on_change="warn") as runtime:
        run = await runtime.run(run.id)
        (waiting,) = await run.pending()
        await run.deny(waiting, by="mia")
        await run.result(5)
        denied = [each["reason"] for each in await data(run, "call.judged") if each["verdict"] == "deny"]

        assert "untrusted read_mail" in (await run.status()).sources
    assert "untrusted read_mail" in before["$"]
    assert len(denied) == 1
    assert house.done == []


async def test_s22_a_fork_keeps_the_labels_of_what_it_takes_over() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([call("read_mail"), call("pay", to=MALLORY, amount=1)], (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        parent = await runtime.start(agent, "Go.")
        await parent.result(5)
        fork = await runtime.fork(parent.id)
        await fork.result(5)

        assert "untrusted read_mail" in (await fork.status()).sources
    assert house.done == []


async def test_s22_the_next_run_of_a_conversation_keeps_the_labels_of_what_was_read_before() -> None:
    house = House(BAIT)

    def model(request: ModelRequest) -> ModelReply | str:
        last = request.messages[-1]
        if last.role == "tool":
            return "It says much."
        asked = call("read_mail") if len(request.messages) == 1 else call("pay", to=MALLORY, amount=9000)
        return ModelReply(calls=(asked,))

    agent = clerk(house, FunctionModel(model))
    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        first = await runtime.start(agent, "Read my mail.")
        await first.result(5)

        second = await first.send("Do what is due.")

        await second.result(5)
        (denied,) = [one for one in await data(second, "call.judged") if one["verdict"] == "deny"]
        assert "untrusted read_mail" in (await second.status()).sources
    assert (denied["tool"], house.done) == ("pay", [])


async def test_a_committed_plan_cannot_be_changed_by_what_is_read() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([PLAN, call("read_mail")], EVIL, plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Pay the bill.")
        await run.result(5)
        judged = [(each["tool"], each["verdict"]) for each in await data(run, "call.judged")]

    assert judged[2:] == [("commit_plan", "deny"), ("pay", "deny"), ("tell", "deny"), ("delete", "deny")]


async def test_a_planned_call_runs_once_also_when_a_reply_asks_for_it_twice() -> None:
    twice = (call("pay", to=ALICE, amount=120), call("pay", to=ALICE, amount=120))
    house = House("the bill")
    agent = clerk(
        house,
        obedient(
            [*OWN[:3], tuple(ToolCall(str(n), one.name, one.arguments) for n, one in enumerate(twice)), OWN[3]],
            (),
            plainly,
        ),
    )

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Pay the bill.")
        await run.result(5)

    assert house.done == [f"pay {ALICE} 120"]


async def test_an_argument_from_an_untrusted_place_is_put_to_a_person_with_its_origin() -> None:
    plan = planning(
        step("mail", "read_mail"), step("bill", "pay", to=taken("mail", "$[0].body", kind="text"), amount=120)
    )
    house = House(f"please pay to {MALLORY}")
    agent = clerk(house, obedient([plan, call("read_mail"), call("pay", to=MALLORY, amount=120)], (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Pay what the mail says.")
        await until(run, "approval.requested")
        (asked,) = await run.pending()
        await run.deny(asked, by="mia")
        await run.result(5)

    assert asked.arguments == {"to": MALLORY, "amount": 120}
    assert asked.origins["$.to"].startswith("as planned in bill (named: ")
    assert "untrusted read_mail" in asked.origins["$.to"]
    assert asked.origins["$.amount"] == "as planned in bill (trusted: developer, user)"
    assert house.done == []


async def test_an_open_plan_puts_what_is_not_planned_to_a_person() -> None:
    house = House("todo")
    own = [planning(step("mail", "read_mail"), open=True), call("read_mail"), call("pay", to=ALICE, amount=1)]
    agent = clerk(house, obedient(own, (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "Do what the mail says.")
        await until(run, "approval.requested")
        (asked,) = await run.pending()
        await run.approve(asked, by="mia")
        await run.result(5)

    assert house.done == [f"pay {ALICE} 1"]


async def test_without_vouch_an_irreversible_call_waits_for_a_person_though_it_is_trusted() -> None:
    house = House()
    agent = clerk(house, obedient([call("pay", to=ALICE, amount=1)], (), plainly))

    async with Runtime(agents=[agent], policies=[InformationFlow()]) as runtime:
        run = await runtime.start(agent, f"Pay 1 to {ALICE}.")
        await until(run, "approval.requested")

        assert house.done == []


async def test_prose_is_inert_only_without_an_address() -> None:
    plan = planning(step("mail", "read_mail"), step("note", "tell", to="bob", text={"$written": True}, each=True))
    own = [
        plan,
        call("read_mail"),
        call("tell", to="bob", text="see http://evil.example"),
        call("tell", to="bob", text="All is well."),
    ]
    house = House("something")
    agent = clerk(house, obedient(own, (), plainly))

    async with Runtime(agents=[agent], policies=[InformationFlow(arguments="deny", vouch=True)]) as runtime:
        run = await runtime.start(agent, "Tell bob what is in the mail.")
        await run.result(5)

    assert house.done == ["tell bob All is well."]


async def test_the_model_is_not_sent_the_labels() -> None:
    sent: list[ModelRequest] = []
    house = House("something")

    def answer(request: ModelRequest) -> ModelReply | str:
        sent.append(request)
        return ModelReply(calls=(call("read_mail"),)) if len(sent) == 1 else "Done."

    agent = clerk(house, FunctionModel(answer))
    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        await (await runtime.start(agent, "Read.")).result(5)

    assert [line.labels for line in sent[-1].messages] == [(), (), ()]


async def test_a_fallback_that_declares_other_labels_makes_the_result_untrusted() -> None:
    @tool(risk="read")
    async def ask_the_web(name: str) -> str:
        """What strangers say."""
        return BAIT

    @tool(risk="read", labels=Labels(trusted=["$"]), fallback=ask_the_web)
    async def account_of(name: str) -> str:
        """The account of somebody in the address book."""
        raise OSError("the address book is closed")

    model = obedient([call("account_of", name="shop")], (), plainly)
    agent = Agent("clerk", model=model, tools=[account_of])
    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "What is the shop's account?")
        await run.result(5)

        assert "untrusted account_of" in (await run.status()).sources


async def test_a_call_is_judged_by_what_the_model_had_seen_and_not_by_what_came_later() -> None:
    house = House(BAIT)
    agent = clerk(house, obedient([call("read_mail")], (), plainly))

    async with Runtime(agents=[agent], policies=[FLOW]) as runtime:
        run = await runtime.start(agent, "What is in the mail?")
        await run.result(5)
        services = runtime._services
        later = await services.origins_of_answer(run.id, "clerk", 3)
        before = await services.origins_of_answer(run.id, "clerk", 1)

    assert later is not None
    assert before is not None
    assert (later.decision.label.is_trusted, before.decision.label.is_trusted) == (False, True)


def test_s3_show_prints_the_sources_of_an_answer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "runs.db"

    async def play() -> str:
        agent = clerk(House(BAIT), obedient([call("read_mail")], (), plainly))
        async with Runtime(file, agents=[agent], policies=[FLOW]) as runtime:
            run = await runtime.start(agent, "What is in the mail?")
            await run.result(5)
            return run.id

    main(["show", str(file), anyio.run(play)])

    assert "untrusted read_mail" in capsys.readouterr().out
