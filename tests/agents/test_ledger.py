"""Ledgers that many runs draw on: they hold together, by day, over kills, and nothing leaks."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import anyio
import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, Cancelled, LimitFault, LimitReached
from choragus.agents.ledger import Ledger
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, Usage
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import Tool, tool
from choragus.supervision.errors import SystemFailed

from .play import Ledger as Tools
from .play import Mortal, PowerCut, call, calls, data, scripted, soon, tools

DAY = 86_400.0


def worker(cost: float = 0.3) -> Agent:
    """An agent that answers at once, for so much."""
    used = Usage(input_tokens=10, cost_usd=cost)
    model = FunctionModel(lambda request: ModelReply(text="worked", usage=used), name="worker")
    model.estimate = lambda request: used  # type: ignore[method-assign]  # its price
    return Agent("worker", model=model)


async def ended(run: Run) -> str:
    """How the run has ended."""
    with suppress(LimitReached, Cancelled):
        await run.result(timeout=5)
    return (await run.status()).status.value


@simulated(seeds=range(3))
async def test_runs_that_draw_on_one_ledger_keep_to_it_together() -> None:
    agent = worker()
    async with Runtime(agents=[agent], ledgers=[Ledger("acme", cost_usd=1.0)]) as runtime:
        runs = [await runtime.start(agent, "Go.", ledgers=["acme"]) for _ in range(5)]

        statuses = [await ended(run) for run in runs]

        (seen,) = await runtime.ledgers()
        refused = runs[statuses.index("limit")]
        with pytest.raises(
            LimitReached, match=r"ledger acme/.* cost_usd is limited to 1, 0\.9 are used .*Ledger\('acme'"
        ):
            await refused.result()
    assert sorted(statuses) == ["completed"] * 3 + ["limit"] * 2
    assert (seen.name, seen.cost_usd, seen.reserved_usd, seen.limit_usd, seen.tokens) == ("acme", 0.9, 0, 1.0, 30)


@simulated(seeds=range(3))
async def test_a_day_begins_at_midnight_in_utc() -> None:
    now = 20_000 * DAY - 10
    agent = worker()
    ledgers = [
        Ledger("acme", cost_usd=0.5),
        Ledger("all", cost_usd=9, per="ever"),
        Ledger("m", tokens=900, per="month"),
    ]
    async with Runtime(agents=[agent], ledgers=ledgers, clock=lambda: now) as runtime:
        names = ["acme", "all", "m"]
        before = [await ended(await runtime.start(agent, "Go.", ledgers=names)) for _ in range(2)]
        now += 20
        after = await ended(await runtime.start(agent, "Go.", ledgers=names))

        seen = [(one.name, one.period, one.cost_usd) for one in await runtime.ledgers()]
    assert (before, after) == (["completed", "limit"], "completed")
    assert seen == [
        ("acme", "2024-10-03", 0.3),
        ("acme", "2024-10-04", 0.3),
        ("all", "ever", 0.6),
        ("m", "2024-10", 0.6),
    ]


@simulated(seeds=range(3))
async def test_what_a_refused_claim_had_set_aside_elsewhere_is_free_again() -> None:
    agent = worker()
    ledgers = [Ledger("a", cost_usd=9), Ledger("b", cost_usd=0.1)]
    async with Runtime(agents=[agent], ledgers=ledgers) as runtime:
        assert await ended(await runtime.start(agent, "Go.", ledgers=["b", "a"])) == "limit"

        async def free() -> bool:
            return all(one.reserved_usd == one.cost_usd == 0 for one in await runtime.ledgers())

        await soon(free)


@simulated(seeds=range(3))
async def test_sub_runs_draw_on_the_ledgers_of_the_run_above() -> None:
    entered = anyio.Event()

    @tool(risk="read")
    async def wait() -> str:
        """Wait."""
        entered.set()
        await anyio.sleep(3600)
        return ""

    boss, under = scripted(calls(call("wait")), tools=[wait], name="boss"), worker()
    async with Runtime(agents=[boss, under], ledgers=[Ledger("acme", cost_usd=0.5)]) as runtime:
        run = await runtime.start(boss, "Go.", ledgers=["acme"])
        await entered.wait()

        statuses = [await ended(await runtime.start(under, "Go.", parent=run)) for _ in range(2)]

        (seen,) = await runtime.ledgers()
    assert (statuses, seen.cost_usd) == (["completed", "limit"], 0.3)


@simulated(seeds=range(3))
async def test_a_run_that_is_cancelled_during_a_model_call_settles_what_it_may_have_cost() -> None:
    entered = anyio.Event()

    async def model(request: object) -> str:
        entered.set()
        await anyio.sleep(3600)
        return "never"

    slow = Agent("slow", model=FunctionModel(model))
    slow.model.estimate = lambda request: Usage(cost_usd=0.4)  # type: ignore[method-assign]  # its price
    async with Runtime(agents=[slow], ledgers=[Ledger("acme", cost_usd=0.5)]) as runtime:
        run = await runtime.start(slow, "Go.", ledgers=["acme"])
        await entered.wait()
        (during,) = await runtime.ledgers()

        await run.cancel()

        async def settled() -> bool:
            (one,) = await runtime.ledgers()
            return (one.reserved_usd, one.cost_usd) == (0, 0.4)

        await soon(settled)
        (presumed,) = await data(run, "budget.presumed")
    assert (presumed["token"], presumed["cost_usd"]) == ("step-1.1", 0.4)
    assert (during.reserved_usd, during.cost_usd) == (0.4, 0)


def test_a_ledger_survives_kills_and_no_reservation_leaks() -> None:
    """The process is killed again and again, the runs go on; each is paid for once."""
    store, agent = Mortal(), worker()

    async def play() -> tuple[list[str], float, float] | None:
        try:
            ledgers = [Ledger("acme", cost_usd=1.0, per="ever")]
            async with Runtime(store=store, agents=[agent], ledgers=ledgers) as runtime:
                runs = [await runtime.start(agent, "Go.", key=str(n), ledgers=["acme"]) for n in range(5)]
                statuses = [await ended(run) for run in runs]

                async def free() -> bool:
                    return (await runtime.ledgers())[0].reserved_usd == 0

                await soon(free)
                return (
                    sorted(statuses),
                    (await runtime.ledgers())[0].cost_usd,
                    (await runtime.ledgers())[0].reserved_usd,
                )
        except SystemFailed as died:
            if died.subgroup(PowerCut) is None:
                raise
        return None

    outcome = None
    for life in range(60):
        store.dies_at, store.after = store.commits + 2 + life, life % 2 == 0
        outcome = anyio.run(play)
        store.revive()
        if outcome is not None:
            break

    assert life > 2, "it was never killed"
    assert outcome == (["completed"] * 3 + ["limit"] * 2, 0.9, 0.0)


async def test_a_run_whose_ledger_is_no_longer_there_is_refused_and_says_so(tmp_path: Path) -> None:
    agent = scripted(calls(call("pay", amount=1)), "done", tools=tools(Tools()))
    async with Runtime(tmp_path / "runs.db", agents=[agent], ledgers=[Ledger("acme", cost_usd=1)]) as runtime:
        run = await runtime.start(agent, "Go.", key="k", ledgers=["acme"])
        await soon(run.pending)

    async with Runtime(tmp_path / "runs.db", agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        (asked,) = await run.pending()
        await asked.approve(by="ann")

        with pytest.raises(LimitReached, match="ledger 'acme' is not among the runtime's: pass it in Runtime"):
            await run.result(timeout=5)


@simulated(seeds=range(1))
async def test_a_ceiling_of_a_ledger_can_be_tried_again() -> None:
    agent = attrs.evolve(worker(), limits=Limits(at_limit="ask"))
    ledgers = [Ledger("acme", cost_usd=0.1)]
    async with Runtime(agents=[agent], ledgers=ledgers) as runtime:
        run = await runtime.start(agent, "Go.", ledgers=["acme"])
        await soon(run.pending)
        (asked,) = await run.pending()
        runtime._services.ledgers["acme"] = Ledger("acme", cost_usd=5)  # type: ignore[index]  # the program of tomorrow

        await asked.approve(by="ann")

        assert await run.result(timeout=5) == "worked"
    assert (asked.tool, asked.arguments) == ("try_again", {})


def dear(done: list[int]) -> Tool:
    """A tool that costs 0.40."""

    @tool(risk="reversible", cost_usd=0.4)
    async def buy(n: int) -> str:
        """Buy."""
        done.append(n)
        return "bought"

    return buy


@pytest.mark.parametrize(("limit", "bought"), [(0.5, [1]), (0.8, [1, 2])])
@simulated(seeds=range(3))
async def test_calls_that_wait_for_what_others_have_set_aside_are_served_when_the_ledger_has_answered(
    limit: float, bought: list[int]
) -> None:
    done: list[int] = []
    both = calls(call("buy", "a", n=1), call("buy", "b", n=2))
    agent = scripted(both, "done", tools=[dear(done)], limits=Limits(cost_usd=limit))
    async with Runtime(agents=[agent], ledgers=[Ledger("acme", cost_usd=9)]) as runtime:
        run = await runtime.start(agent, "Go.", ledgers=["acme"])

        assert await run.result(timeout=5) == "done"

        (seen,) = await runtime.ledgers()
    assert sorted(done) == bought
    assert (seen.cost_usd, seen.reserved_usd) == (0.4 * len(bought), 0)


@simulated(seeds=range(1))
async def test_a_call_that_a_ledger_refused_and_that_is_tried_again_is_one_call() -> None:
    done: list[int] = []
    limits = Limits(per_tool={"buy": 1}, at_limit="ask")
    agent = scripted(calls(call("buy", n=1)), "done", tools=[dear(done)], limits=limits)
    async with Runtime(agents=[agent], ledgers=[Ledger("acme", cost_usd=0.1)]) as runtime:
        run = await runtime.start(agent, "Go.", ledgers=["acme"])
        await soon(run.pending)
        (asked,) = await run.pending()
        runtime._services.ledgers["acme"] = Ledger("acme", cost_usd=5)  # type: ignore[index]  # the program of tomorrow

        await asked.approve(by="ann")

        assert await run.result(timeout=5) == "done"
    assert done == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"name": "", "cost_usd": 1}, id="name"),
        pytest.param({"name": "a/b", "cost_usd": 1}, id="slash"),
        pytest.param({"name": "a"}, id="limitless"),
        pytest.param({"name": "a", "cost_usd": -1}, id="negative"),
        pytest.param({"name": "a", "cost_usd": 1, "per": "week"}, id="time"),
    ],
)
def test_a_ledger_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(LimitFault, match=r"^(Ledger|Limits)\("):
        Ledger(**wrong)  # type: ignore[arg-type]  # the mistake under test


@simulated(seeds=range(1))
async def test_ledgers_that_are_not_there_are_refused_at_once() -> None:
    agent, acme = worker(), Ledger("acme", cost_usd=1)
    with pytest.raises(AgentFault, match=r"^two ledgers are named 'acme': rename one$"):
        Runtime(agents=[agent], ledgers=[acme, acme])
    with pytest.raises(AgentFault, match=r"^'acme' is no Ledger"):
        Runtime(agents=[agent], ledgers=["acme"])  # type: ignore[list-item]  # the mistake under test
    async with Runtime(agents=[agent], ledgers=[acme]) as runtime:
        with pytest.raises(AgentFault, match=r"^no ledger 'acne' in this runtime \(there are: acme\)"):
            await runtime.start(agent, "Go.", ledgers=["acne"])
        with pytest.raises(AgentFault, match=r"^ledgers='acme' is a text: give a list of names"):
            await runtime.start(agent, "Go.", ledgers="acme")


@simulated(seeds=range(2))
async def test_a_fork_begins_at_nothing_with_limits_of_its_own_and_draws_on_the_same_ledgers() -> None:
    replies = [calls(call("look", str(n), at="x"), usage=Usage(input_tokens=10, cost_usd=0.3)) for n in range(2)]
    agent = scripted(*replies, "done", tools=tools(Tools()), limits=Limits(steps=2))
    async with Runtime(agents=[agent], ledgers=[Ledger("acme", cost_usd=0.7, per="ever")]) as runtime:
        run = await runtime.start(agent, "Go.", ledgers=["acme"])
        assert await ended(run) == "limit"
        (before,) = await runtime.ledgers()

        fork = await runtime.fork(run.id, limits=Limits(steps=3))
        again = await runtime.fork(run.id, at=5, limits=Limits(steps=3))

        with pytest.raises(LimitReached, match=r"ledger acme/ever: cost_usd is limited to 0\.7"):
            await again.result(timeout=5)
        assert await fork.result(timeout=5) == "done"
        assert (await fork.status()).steps == 1
    assert before.cost_usd == 0.6
