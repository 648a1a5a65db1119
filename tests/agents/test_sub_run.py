"""Sub-runs: they spend from the budgets above them, go no deeper than allowed, and are held and ended with them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import anyio
import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.checkpoint import Before
from choragus.agents.errors import AgentError, AgentFault, Cancelled, LimitReached, UnknownRun
from choragus.agents.guardrail import Guardrail
from choragus.agents.ledger import Ledger as Account
from choragus.agents.limits import Limits
from choragus.agents.message import JudgeCall, SetLimits
from choragus.agents.model import ModelReply, ModelRequest, Usage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.service import Services
from choragus.agents.state import Status
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.system import System

from .play import Ledger, answering, call, calls, data, scripted, soon, tools, until


def boss(limits: Limits, *, name: str = "boss") -> Agent:
    """An agent that waits for a person, so that its run stays open."""
    return scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()), limits=limits, name=name)


def worker(cost: float = 0.1, *, bound: float | None = None, limits: Limits | None = None) -> Agent:
    """An agent that answers at once, for so much, with that bound."""
    used = Usage(input_tokens=10, cost_usd=cost)
    model = FunctionModel(lambda request: ModelReply(text="worked", usage=used), name="worker")
    model.estimate = lambda request: attrs.evolve(used, cost_usd=bound or cost)  # type: ignore[method-assign]  # its price
    return Agent("worker", model=model, limits=limits or Limits())


async def ends(runs: list[Run]) -> list[str]:
    """How each has ended."""
    for run in runs:
        with suppress(LimitReached):
            await run.result(timeout=60)
    return [(await run.status()).status.value for run in runs]


@simulated(seeds=range(3))
async def test_a_sub_run_spends_from_its_parents_budget_and_its_end_is_told() -> None:
    agent, under = boss(Limits(cost_usd=1.0, steps=9)), worker(0.3)
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        child = await runtime.start(under, "Work.", parent=run)

        assert await child.result(timeout=5) == "worked"

        await soon(lambda: data(run, "child.ended"))
        (begun,), (ended,) = await data(run, "child.started"), await data(run, "child.ended")
        spent = [line["cost_usd"] for line in await data(run, "budget.spent")]
    assert (begun["run"], ended["run"], ended["status"], ended["outcome"]) == (
        child.id,
        child.id,
        "completed",
        "worked",
    )
    assert spent == [0, 0.3]


@simulated(seeds=range(3))
async def test_the_ceilings_of_a_parent_hold_for_all_below_it_together() -> None:
    agent, under = boss(Limits(cost_usd=1.0)), worker(0.3)
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        children = [await runtime.start(under, "Work.", parent=run) for _ in range(5)]

        statuses = await ends(children)

        refused = [child for child, status in zip(children, statuses, strict=True) if status == "limit"]
        with pytest.raises(
            LimitReached, match=rf"^run .* reached a limit: choragus.guardrail/{run.id}: cost_usd is limited"
        ):
            await refused[0].result()
    assert sorted(statuses) == ["completed"] * 3 + ["limit"] * 2


@simulated(seeds=range(3))
async def test_ceilings_hold_two_levels_up() -> None:
    top, middle, under = boss(Limits(steps=4)), boss(Limits(), name="middle"), worker()
    async with Runtime(agents=[top, middle, under]) as runtime:
        run = await runtime.start(top, "Go.")
        between = await runtime.start(middle, "Go.", parent=run)
        await until(between, "approval.requested")
        await until(run, "approval.requested")

        statuses = await ends([await runtime.start(under, "Work.", parent=between) for _ in range(3)])

    assert sorted(statuses) == ["completed", "completed", "limit"]


@simulated(seeds=range(3))
async def test_calls_of_tools_count_in_the_runs_above() -> None:
    ledger = Ledger()
    agent = boss(Limits(tool_calls=3))
    asked = [call("look", str(n), at="x") for n in range(4)]
    under = scripted(calls(*asked), "done", tools=tools(ledger), name="under")
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")

        child = await runtime.start(under, "Work.", parent=run)

        assert await child.result(timeout=5) == "done"
        denied = [str(line["text"]) for line in await data(child, "call.finished") if line["end"] == "denied"]
    assert len(ledger.done) == len(denied) == 2
    assert f"choragus.guardrail/{run.id}: tool_calls is limited to 3" in denied[0]


@simulated(seeds=range(3))
async def test_s32_agents_that_start_agents_stop_at_the_depth_and_the_tree_is_cleaned() -> None:
    runtime: Runtime
    refused: list[LimitReached] = []

    @tool(risk="read")
    async def spawn(run: str) -> str:
        """Start a sub-run."""
        try:
            child = await runtime.start(agent, "Again.", parent=await runtime.run(run))
        except LimitReached as error:
            refused.append(error)
            raise
        return await child.result()

    async def model(request: ModelRequest) -> ModelReply | str:
        await begun.wait()
        return ModelReply(calls=(call("spawn", run=runs[-1]),)) if len(request.messages) == 1 else "done"

    runs: list[str] = []
    begun = asyncio.Event()
    agent = answering(model, tools=[spawn], limits=Limits(depth=2))
    async with Runtime(agents=[agent]) as runtime:
        parent = run = await runtime.start(agent, "Go.", key="first")
        runs.append(run.id)
        for _ in range(2):
            parent = await runtime.start(agent, "Again.", parent=parent)
        begun.set()
        with pytest.raises(LimitReached, match="depth leaves no room for a sub-run below this one"):
            await runtime.start(agent, "Again.", parent=parent)
        await run.cancel(by="ann")

        async def all_ended() -> bool:
            return all(one.status.is_final for one in await runtime.runs())

        await soon(all_ended)
        statuses = {one.status for one in await runtime.runs()}
    assert statuses == {Status.CANCELLED}


@pytest.mark.parametrize("depth", [0, 1])
@simulated(seeds=range(1))
async def test_a_child_cannot_widen_the_depth_that_is_left(depth: int) -> None:
    top, deep = boss(Limits(depth=depth)), boss(Limits(depth=None), name="deep")
    async with Runtime(agents=[top, deep]) as runtime:
        run = await runtime.start(top, "Go.")
        for _ in range(depth):
            run = await runtime.start(deep, "Go.", parent=run)

        with pytest.raises(LimitReached, match="depth"):
            await runtime.start(deep, "Go.", parent=run)


@simulated(seeds=range(3))
async def test_cancel_and_pause_reach_the_whole_tree() -> None:
    agent = boss(Limits())
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        child = await runtime.start(agent, "Go.", parent=run)
        leaf = await runtime.start(agent, "Go.", parent=child)
        await until(leaf, "approval.requested")

        async def statuses(wanted: Status) -> bool:
            return {one.status for one in await runtime.runs()} == {wanted}

        await run.pause(by="ann")
        await soon(lambda: statuses(Status.PAUSED))
        late = await runtime.start(agent, "Go.", parent=run)
        await soon(lambda: statuses(Status.PAUSED))
        await run.resume(by="ann")
        await soon(lambda: statuses(Status.WAITING))
        await run.cancel(by="ann", reason="over")
        await soon(lambda: statuses(Status.CANCELLED))

        with pytest.raises(Cancelled, match=rf"cancelled by run {run.id}"):
            await late.result()


@simulated(seeds=range(1))
async def test_a_sub_run_of_nothing_or_of_what_has_ended_does_not_begin() -> None:
    agent = worker()
    async with Runtime(agents=[agent], ledgers=[Account("acme", cost_usd=1)]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=5)

        with pytest.raises(AgentError, match=r"^run .* has ended, and begins no sub-runs any more$"):
            await runtime.start(agent, "Go.", parent=run)
        with pytest.raises(UnknownRun):
            await runtime.start(agent, "Go.", parent=Run("none", runtime._desk))
        with pytest.raises(AgentFault, match="of a sub-run: it draws on those of the run above it"):
            await runtime.start(agent, "Go.", parent=run, ledgers=["acme"])


@simulated(seeds=range(1))
async def test_a_key_names_a_sub_run_within_its_parent() -> None:
    agent, under = boss(Limits()), worker()
    async with Runtime(agents=[agent, under]) as runtime:
        run, other = await runtime.start(agent, "Go."), await runtime.start(agent, "Go.")

        ids = [(await runtime.start(under, "Go.", parent=one, key="k")).id for one in (run, run, other)]

    assert ids[0] == ids[1] != ids[2]


@simulated(seeds=range(3))
async def test_a_ceiling_of_the_parent_that_is_raised_lets_its_sub_runs_go_on() -> None:
    agent, under = boss(Limits(cost_usd=0.5, at_limit="ask")), worker(0.3)
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        children = [await runtime.start(under, "Work.", parent=run) for _ in range(2)]
        await until(run, "limit.reached")
        await soon(lambda: data(run, "limit.reached"))

        async def asked() -> bool:
            return any(one.call.startswith("ceiling") for one in await run.pending())

        await soon(asked)
        (question,) = [one for one in await run.pending() if one.call.startswith("ceiling")]

        await run.approve(question, by="ann")

        assert await ends(children) == ["completed", "completed"]


class Slow:
    """A model that answers when it is let, and how many of its calls were under way at a time."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.now = self.most = self.calls = 0

    async def answer(self, request: ModelRequest) -> str:
        self.calls += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await self.open.wait()
        await asyncio.sleep(0.01)
        self.now -= 1
        return "worked"


@simulated(seeds=range(3))
async def test_no_more_model_calls_are_under_way_below_a_run_than_it_allows() -> None:
    slow = Slow()
    agent, under = boss(Limits(parallel=2)), Agent("under", model=FunctionModel(slow.answer))
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        children = [await runtime.start(under, "Work.", parent=run) for _ in range(6)]
        slow.open.set()

        assert await ends(children) == ["completed"] * 6
    assert slow.most == 2


@simulated(seeds=range(3))
async def test_s40_a_run_that_is_paused_while_it_waits_for_room_calls_no_model_and_leaves_the_room_to_others() -> None:
    slow = Slow()
    agent, under = boss(Limits(parallel=1)), Agent("under", model=FunctionModel(slow.answer))
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        first = await runtime.start(under, "Work.", parent=run)
        await until(first, "budget.reserved")
        second = await runtime.start(under, "Work.", parent=run)
        await until(second, "budget.reserved")
        third = await runtime.start(under, "Work.", parent=run)
        await second.pause(by="ann")
        slow.open.set()

        statuses = await ends([first, third])
        await asyncio.sleep(1)
        called = slow.calls

        await second.resume(by="ann")
        assert await second.result(timeout=5) == "worked"
    assert (statuses, called, slow.calls) == (["completed"] * 2, 2, 3)


# A fan-out of 1,000.


@pytest.mark.parametrize("width", [80, pytest.param(1000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])])
@simulated(seeds=range(1))
async def test_a_fan_out_of_sub_runs_overspends_by_nothing_and_uses_its_ceiling(width: int) -> None:
    """Each reserves four times what it costs; their model calls are under way 20 at a time."""
    ceiling = width * 0.0075
    agent, under = boss(Limits(cost_usd=ceiling, steps=None, parallel=20)), worker(0.01, bound=0.04)
    async with Runtime(agents=[agent, under]) as runtime:
        run = await runtime.start(agent, "Go.")
        await until(run, "approval.requested")
        few = anyio.CapacityLimiter(50)  # the host's messages wait for the disk

        async def start() -> Run:
            async with few:
                return await runtime.start(under, "Work.", parent=run)

        statuses = await ends(list(await asyncio.gather(*(start() for _ in range(width)))))

        spent = sum(float(str(line["cost_usd"])) for line in await data(run, "budget.spent"))
    assert statuses.count("completed") * 0.01 == pytest.approx(spent)
    assert 0.95 * ceiling - 0.03 * (width < 1000) <= spent <= ceiling
    assert set(statuses) == {"completed", "limit"}


@simulated(seeds=range(1))
async def test_a_fan_out_of_1000_calls_that_cost_something_overspends_by_nothing_and_uses_its_ceiling() -> None:
    async with System(actors=[Guardrail], resources=Services({}, MemoryStore())) as system:
        guardrail = system.ref(Guardrail, "r")
        await guardrail.send(SetLimits(limits=Limits(cost_usd=5.0), started=0.0))

        verdicts = await asyncio.gather(*(guardrail.ask(_costly(number)) for number in range(1000)))

    assert sum(verdict.allowed for verdict in verdicts) == 500


def _costly(number: int) -> JudgeCall:
    return JudgeCall(call=f"1.{number}", tool="ask", risk="read", arguments={}, cost_usd=0.01)


@simulated(seeds=range(3))
async def test_calls_that_cost_something_run_as_far_as_the_money_goes() -> None:
    called: list[int] = []

    @tool(risk="read", cost_usd=0.01)
    async def ask(n: int) -> int:
        """Ask a service that costs a cent."""
        called.append(n)
        return n

    asked = [call("ask", str(n), n=n) for n in range(20)]
    agent = scripted(calls(*asked), "done", tools=[ask], limits=Limits(cost_usd=0.1))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")

        assert await run.result(timeout=600) == "done"
    assert len(called) == 10


@simulated(seeds=range(3))
async def test_a_call_that_waits_for_a_person_keeps_its_money_until_they_decide() -> None:
    @tool(risk="irreversible", cost_usd=0.06)
    async def buy(n: int) -> int:
        """Buy."""
        return n

    agent = scripted(
        calls(call("buy", "a", n=1), call("buy", "b", n=2)), "done", tools=[buy], limits=Limits(cost_usd=0.1)
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await soon(run.pending)
        (first,) = await run.pending()

        await run.deny(first, by="ann")
        await soon(run.pending)
        (second,) = await run.pending()
        await run.approve(second, by="ann")

        assert await run.result(timeout=5) == "done"
        ends = [line["end"] for line in await data(run, "call.finished")]
    assert (first.call, second.call, ends) == ("1.1", "1.2", ["denied", "returned"])


@simulated(seeds=range(2))
async def test_s12_a_sub_run_has_no_tool_that_the_run_above_was_denied() -> None:
    agent = boss(Limits())
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tools=["look", "pay"])

        with pytest.raises(
            AgentError,
            match=r"cannot have book, for it reaches look, pay: that run was narrowed, and grants only shrink$",
        ):
            await runtime.start(agent, "Go.", parent=run, tools=["look", "book"])
        child = await runtime.start(agent, "Go.", parent=run)

        (granted,) = await data(child, "run.granted")
    assert granted["tools"] == ["look", "pay"]


@simulated(seeds=range(2))
async def test_s11_an_agent_gets_nothing_done_by_another_that_it_may_not_do_itself() -> None:
    """The clerk may look. It has a cashier pay for it: the cashier's own right to pay does not count there."""
    ledger = Ledger()
    look, book, _, pay = tools(ledger)
    waits = scripted(calls(call("book", what="x")), "done", tools=[look, book], name="clerk")
    waits = attrs.evolve(waits, checkpoints=[Before("book")])
    cashier = scripted(calls(call("pay", amount=5)), "sorry", tools=[pay], name="cashier")
    async with Runtime(agents=[waits, cashier]) as runtime:
        run = await runtime.start(waits, "Go.")
        alone = await runtime.start(cashier, "Pay.")
        await until(alone, "approval.requested")

        with pytest.raises(AgentError, match=r"cannot have pay, for it reaches look, book: .*Agent\(delegates="):
            await runtime.start(cashier, "Pay.", parent=run, tools=["pay"])
        below = await runtime.start(cashier, "Pay.", parent=run)

        assert await below.result(timeout=5) == "sorry"
        (refused,) = await data(below, "call.refused")
    assert str(refused["reason"]).startswith("the tool 'pay' is not granted here")
    assert ledger.done == []


@simulated(seeds=range(2))
async def test_what_an_agent_may_delegate_runs_below_it_and_below_that() -> None:
    ledger = Ledger()
    look, book, _, pay = tools(ledger)
    top = attrs.evolve(boss(Limits(), name="top"), tools=(look, pay), delegates=("book",))
    between = attrs.evolve(boss(Limits(), name="between"), tools=(pay,), delegates=("book", "reserve"))
    under = scripted(calls(call("book", what="room")), "done", tools=[book], name="under")
    async with Runtime(agents=[top, between, under]) as runtime:
        run = await runtime.start(top, "Go.")
        child = await runtime.start(between, "Go.", parent=run)
        grandchild = await runtime.start(under, "Go.", parent=child)

        assert await grandchild.result(timeout=5) == "done"
        (granted,) = await data(child, "run.granted")
    assert granted["tools"] == ["pay", "book"]
    assert ledger.calls() == ["1.1"]


@pytest.mark.parametrize("names", ["book", [5], [""], None])
def test_delegates_that_are_no_names_are_refused(names: object) -> None:
    with pytest.raises(AgentFault, match=r"the delegates of agent 'boss' are .*: give a list of names of tools"):
        attrs.evolve(boss(Limits()), delegates=names)  # type: ignore[arg-type]  # the fault that is tested
