"""When nobody decides: deadlines with a default, chains of approvers, and how many have to approve."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.approval import arguments_hash
from choragus.agents.approver import Approvals, Default
from choragus.agents.errors import AgentFault, DecisionRefused
from choragus.agents.guardrail import Guardrail
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.message import Decide, JudgeCall, PetitionDue
from choragus.agents.petition import Kind, Petition, lapsed
from choragus.agents.policy import Ask, Check, Escalate, Stage, Verdict
from choragus.agents.runtime import Runtime
from choragus.agents.service import Services
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.system import System

from .people_play import Paid, asker, payer, question, scripted_with
from .play import Rule, call, calls, data, soon


class Clock:
    """Wall time that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@simulated(seeds=range(3))
async def test_s38_nobody_answers_and_it_is_denied_on_timeout_and_a_late_answer_refused() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(within=4))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)

        await asyncio.sleep(3.9)
        assert await run.pending() == [approval]
        answer = await run.result(5)

        with pytest.raises(DecisionRefused, match="nobody decided within 4 s, so it was denied"):
            await approval.approve(by="mia")
        with pytest.raises(DecisionRefused, match="nobody decided within 4 s, so it was denied"):
            await approval.deny(by="mia")
        (decided,) = await data(run, "approval.decided")
    assert answer == "denied by deadline: nobody decided within 4 s"
    assert (decided["by"], decided["identity"], paid) == ("deadline", {"method": "deadline"}, [])


@simulated(seeds=range(1))
async def test_s38_a_deadline_that_passed_while_nobody_had_the_file_open_counts() -> None:
    """The answer comes first after the reopening, and is late all the same; the person was asked once."""
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(within=4))
    store = MemoryStore()
    async with Runtime(store=store, agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        approval = await question(run)
    await asyncio.sleep(7200)

    async with Runtime(store=store, agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        with pytest.raises(DecisionRefused, match="so it was denied"):
            await run.approve(approval, by="mia")
        await run.result(5)

        assert len(await data(run, "approval.requested")) == 1
    assert paid == []


@simulated(seeds=range(1))
async def test_s38_an_answer_is_late_also_when_it_comes_before_the_timer_rings() -> None:
    now, store = Clock(), MemoryStore()
    agent = payer([], approvals=Approvals(within=60))
    hash = arguments_hash("r", "1.1", "pay", {})
    async with System(
        actors=[Guardrail], resources=Services({"clerk": agent}, store, now), store=store, clock=now
    ) as system:
        guardrail = system.ref(Guardrail, "r")
        asked = JudgeCall(call="1.1", tool="pay", risk="irreversible", arguments={}, agent="clerk")
        await guardrail.ask(asked)
        now.now += 60

        refusal = await guardrail.ask(Decide(call="1.1", approved=True, by="mia", hash=hash))

    assert refusal.endswith("is not waiting for a decision: nobody decided within 60 s, so it was denied")


@simulated(seeds=range(1))
async def test_s37_nobody_can_say_that_the_time_is_up() -> None:
    store = MemoryStore()
    agent = payer([], approvals=Approvals(within=60))
    hash = arguments_hash("r", "1.1", "pay", {})
    async with System(actors=[Guardrail], resources=Services({"clerk": agent}, store), store=store) as system:
        guardrail = system.ref(Guardrail, "r")
        asked = JudgeCall(call="1.1", tool="pay", risk="irreversible", arguments={}, agent="clerk")
        await guardrail.ask(asked)

        await guardrail.send(PetitionDue("1.1", 0))

        assert await guardrail.ask(Decide(call="1.1", approved=True, by="mia", hash=hash)) == ""


@simulated(seeds=range(1))
async def test_a_decision_in_time_takes_the_deadline_back() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(within=4))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)

        await asyncio.sleep(3)
        await approval.approve(by="mia")
        await run.result(5)
        assert await runtime.store.next_due(clock()) is None
        await asyncio.sleep(2)

        assert len(await data(run, "approval.decided")) == 1
    assert paid == [("A-17", Decimal("150.00"))]


@simulated(seeds=range(1))
async def test_the_lapse_of_time_may_allow_what_can_be_undone() -> None:
    rule = Rule(Stage.CALL, lambda check: Ask("look") if check.tool == "book" else None)
    approvals = Approvals(within=2, default="allow")
    agent = scripted_with(calls(call("book", what="room")), "done", policies=[rule])
    few = [tool for tool in agent.tools if tool.name != "pay"]
    agent = type(agent)("clerk", model=agent.model, tools=few, policies=[rule], approvals=approvals)
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Go.")

        await run.result(100)

        (finished,) = await data(run, "call.finished")
    assert finished["text"] == '"booked room"'


def test_the_lapse_of_time_never_allows_what_cannot_be_undone() -> None:
    with pytest.raises(AgentFault, match=r"has the irreversible tool 'pay', which no lapse of time may allow"):
        payer([], approvals=Approvals(within=2, default="allow"))


@simulated(seeds=range(1))
async def test_a_question_is_escalated_from_group_to_group_and_then_denied() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(within=2, default="escalate", chain=["mia", ("boss", "cfo")]))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        first = await question(run)
        with pytest.raises(DecisionRefused, match=r"^'boss' may not decide about call 1.1: it is put to mia$"):
            await first.approve(by="boss")

        await asyncio.sleep(2.1)
        (second,) = await run.pending()
        with pytest.raises(DecisionRefused, match="'mia' may not decide"):
            await second.approve(by="mia")
        answer = await run.result(100)

        (escalated,) = await data(run, "approval.escalated")
    assert (first.approvers, second.approvers, first.due + 2) == (("mia",), ("boss", "cfo"), second.due)
    assert (first.answers()["nothing"], second.answers()["nothing"]) == (
        "the next approvers are asked",
        "it counts as denied",
    )
    assert (escalated["before"], escalated["approvers"]) == (["mia"], ["boss", "cfo"])
    assert (answer, paid) == ("denied by deadline: nobody decided within 2 s", [])


@simulated(seeds=range(1))
async def test_whom_it_was_escalated_to_may_decide() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(within=2, default="escalate", chain=["mia", "boss"]))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        await question(run)
        await asyncio.sleep(2.1)

        await (await question(run)).approve(by="boss")

        await run.result(5)
    assert len(paid) == 1


@simulated(seeds=range(1))
async def test_what_a_policy_escalates_begins_behind_the_first_group() -> None:
    rule = Rule(Stage.CALL, lambda check: Escalate("large"))
    agent = payer([], approvals=Approvals(chain=["mia", "boss"]), policies=(rule,))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")

        approval = await question(run)

    assert (approval.kind, approval.approvers, approval.why) == ("escalation", ("boss",), "large")


@simulated(seeds=range(3))
async def test_a_quorum_counts_each_person_once() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(chain=[("ann", "bob", "eve")], quorum=2))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)

        await approval.approve(by="ann")
        await approval.approve(by="ann")
        (again,) = await run.pending()
        assert (again.given, paid) == (("ann",), [])
        await again.approve(by="eve")

        await run.result(5)
        (decided,) = await data(run, "approval.decided")
        (counted,) = await data(run, "approval.counted")
    assert (decided["given"], decided["by"], len(paid)) == (["ann", "eve"], "eve", 1)
    assert (counted["by"], counted["identity"], counted["seen"]) == ("ann", {"method": "host"}, "python-1")
    assert counted["saw"] == approval.hash


@simulated(seeds=range(1))
async def test_a_person_whom_a_policy_names_twice_is_one_of_a_quorum() -> None:
    paid: Paid = []
    names = Rule(Stage.CALL, lambda check: Ask("look", approvers=("ann", "ann")))
    agent = payer(paid, approvals=Approvals(chain=[("ann", "bob")], quorum=2), policies=(names,))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)

        await approval.approve(by="ann")

        await run.result(5)
    assert len(paid) == 1


@simulated(seeds=range(1))
async def test_two_who_follow_the_events_see_what_the_other_has_changed() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(quorum=2))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")

        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                by = "bob" if event.approval.given else "ann"
                await event.approval.approve(by=by, arguments={"amount": "120.00"})

        await run.result(5)
    assert paid == [("A-17", Decimal("120.00"))]


@simulated(seeds=range(1))
async def test_one_who_denies_is_enough() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(chain=[("ann", "bob", "eve")], quorum=3))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        await approval.approve(by="ann")

        await approval.deny(by="bob", reason="no")

        assert await run.result(5) == "denied by bob: no"
    assert paid == []


@simulated(seeds=range(3))
async def test_an_edit_in_a_quorum_begins_the_count_anew() -> None:
    paid: Paid = []
    agent = payer(paid, approvals=Approvals(quorum=2))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        await approval.approve(by="ann")

        await approval.approve(by="bob", arguments={"amount": "120.00"})

        (edited,) = await run.pending()
        assert (edited.given, edited.arguments["amount"]) == (("bob",), "120.00")
        assert edited.origins == {"$.amount": "changed by bob"}
        with pytest.raises(DecisionRefused, match="has other arguments than those decided on"):
            await approval.approve(by="eve")
        await edited.approve(by="ann")
        assert "(bob changed the arguments: it ran with" in await run.result(5)
    assert paid == [("A-17", Decimal("120.00"))]


@simulated(seeds=range(1))
async def test_a_question_that_nobody_answers_in_time_says_so_to_the_model() -> None:
    agent = asker("W1", "W2", approvals=Approvals(within=2, default="allow"))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Plan.")

        assert await run.result(100) == "denied by deadline: nobody decided within 2 s"


@simulated(seeds=range(1))
async def test_a_policy_names_the_approvers_of_the_first_group() -> None:
    def large(check: Check) -> Verdict | None:
        return Ask("large", approvers=("cfo",))

    approvals = Approvals(within=2, default="escalate", chain=["mia", "boss"])
    agent = payer([], approvals=approvals, policies=(Rule(Stage.CALL, large),))
    async with Runtime(agents=[agent], clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        first = await question(run)
        await asyncio.sleep(2.1)

        async def escalated() -> bool:
            return (await question(run)).approvers == ("boss",)

        await soon(escalated)
    assert first.approvers == ("cfo",)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"within": 0}, r"^within=0 is no time: give seconds"),
        ({"within": float("inf")}, r"^within=inf is no time"),
        ({"within": "1h"}, r"^within='1h' is no time"),
        ({"default": "perhaps"}, r"^default='perhaps' is none of 'deny', 'escalate', 'allow'"),
        ({"default": "allow"}, r"^default='allow' never comes about without a time: give within="),
        ({"within": 1, "default": "escalate"}, r"name at least two groups of approvers$"),
        ({"chain": [()]}, r"a group of chain=\(\(\),\) is empty"),
        ({"chain": [" "]}, r"' ' in chain=.* names nobody"),
        ({"chain": [("a", "a")]}, r"names somebody twice"),
        ({"quorum": 0}, r"^quorum=0 must be a whole number from 1"),
        ({"quorum": 3, "chain": [("a", "b")]}, r"^quorum=3 must be a whole number from 1 to 2"),
    ],
)
def test_approvals_that_make_no_sense_are_refused(options: dict[str, object], why: str) -> None:
    with pytest.raises(AgentFault, match=why):
        Approvals(**options)  # type: ignore[arg-type]  # that is the point


def test_the_defaults_are_a_closed_set() -> None:
    default: Default = "deny"

    assert Approvals().default == default


@pytest.mark.parametrize(
    ("risk", "kind"), [("irreversible", Kind.CALL), ("read", Kind.QUESTION), ("read", Kind.ESCALATION)]
)
def test_what_needs_a_person_for_sure_is_denied_by_the_lapse_of_time_whatever_the_agent_says(
    risk: str, kind: Kind
) -> None:
    asked = Petition(subject="1.1", kind=kind, asker="x", tool="pay", risk=risk)

    asked.ask(Approvals(within=1, default="allow"), now=5.0)

    assert (asked.default, lapsed(asked).approved, asked.due) == ("deny", False, 6.0)
