"""All that a run can do, at once and at random, over deaths of the process: what may not happen, by a ledger outside.

Every seed is another story, of an agent and its sub-runs, hostile models, a person who decides, edits, pauses, cancels
and takes back, and tools that fail. Nobody may be left waiting, and nothing may run that was not allowed as it ran.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import cast

import attrs
import pytest
from tests.agents.play import Mortal, PowerCut

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulate
from choragus.agents.agent import Agent
from choragus.agents.approval import Approval
from choragus.agents.errors import AgentError, DecisionRefused
from choragus.agents.inspection import RunSummary
from choragus.agents.ledger import Ledger
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.supervision.errors import SystemFailed

from .wild import CENT, COSTS, World, wild_approvals, wild_limits, wild_model, wild_policies, wild_tools

LIVES = 10
PATIENCE = 5_000.0
"""Seconds of virtual time in which a story has to come to its end: longer means that somebody was not told."""

ACME = Ledger("acme", cost_usd=0.6, per="ever")
USES = 2

Fields = dict[str, object]


@attrs.frozen
class Story:
    """Who plays."""

    seed: int
    world: World
    store: Mortal
    boss: Agent
    rng: random.Random
    rule: bool


def begin(seed: int) -> Story:
    """Everything is drawn from the seed."""
    rng, world = random.Random(seed), World(random.Random(seed + 1))
    tools = wild_tools(world)

    def agent(name: str, salt: int) -> Agent:
        own = random.Random(f"{seed}/{salt}")
        return Agent(
            name,
            model=wild_model(world, f"{seed}/{name}"),
            tools=tools,
            limits=wild_limits(own),
            policies=wild_policies(own),
            approvals=wild_approvals(own),
        )

    world.children = [agent("under", 3)]
    return Story(seed, world, Mortal(), agent("boss", 2), rng, rng.random() < 0.5)


async def decide(approval: Approval, rng: random.Random) -> None:
    """Rightly, wrongly, with other arguments, or not at all."""
    with pytest.raises(DecisionRefused):
        await attrs.evolve(approval, hash="0" * 64).approve(by="mia")
    if approval.approvers:
        with suppress(DecisionRefused):  # not when the same was decided just now: that changes nothing
            await approval.approve(by="mallory")
    by = rng.choice(["mia", "bob"])
    with suppress(AgentError):  # not theirs to decide, or said in the life before
        if rng.random() < 0.3:
            await approval.deny(by=by)
        elif approval.kind == "question":
            await approval.answer("sea", by=by)
        elif approval.tool == "pay" and rng.random() < 0.4:
            await approval.approve(by=by, arguments={"amount": rng.choice([1, 7])})
        else:
            await approval.approve(by=by)


async def settle(run: Run, world: World, rng: random.Random) -> None:
    """By what the world says, or give up."""
    for one in await run.unknown():
        happened = world.times(*COSTS, "cancel")[one.idempotency_key] > 0
        if one.call.endswith("/undo") and not world.times("book")[one.idempotency_key.removesuffix("/undo")]:
            happened = True  # there is nothing to take back
        outcome = "give_up" if rng.random() < 0.05 else "happened" if happened else "not"
        with suppress(AgentError):
            await run.settle(one, outcome, by="mia")


async def hold(runtime: Runtime, run: Run, world: World) -> None:
    """Pause: what is in flight ends, and a while later nothing begins, also when one of two holds lets go."""
    await runtime.pause(by="mia")
    await run.pause(by="bob")
    await run.resume(by="bob")
    await asyncio.sleep(1)
    begun = world.begun
    await asyncio.sleep(30)
    assert world.begun == begun, "something began while all was paused"
    await runtime.resume(by="mia")


async def people(story: Story, runtime: Runtime, run: Run) -> None:
    """Look in every second until all has ended."""
    rng, seconds = story.rng, 0
    await run.resume(by="bob")  # perhaps they died while it was paused
    await runtime.resume(by="mia")
    while any(not one.status.is_final for one in await runtime.runs()):
        seconds += 1
        for approval in await runtime.pending():
            if rng.random() < 0.8:
                await decide(approval, rng)
        for one in await runtime.runs():
            await settle(await runtime.run(one.run), story.world, rng)
        if rng.random() < 0.03:
            await hold(runtime, run, story.world)
        if rng.random() < 0.02 and seconds < 30:  # later it would free one who waits in vain
            await run.cancel(by="mia")
        await asyncio.sleep(1)


async def take_back(story: Story, runtime: Runtime) -> None:
    """Every run that ended without a result, to the end; nothing else begins any more."""
    await asyncio.sleep(10)  # what must not be stopped ends
    for one in await runtime.runs():
        run = await runtime.run(one.run)
        if one.status is Status.COMPLETED:
            continue
        over = False
        while not over:
            await settle(run, story.world, story.rng)
            with suppress(AgentError):  # what was settled runs again, and may be of unknown outcome again
                over = (await run.unwind(by="mia")).over


async def fork(story: Story, runtime: Runtime, boss: Run) -> None:
    """Go on from somewhere in the past of a run, in a third of the stories."""
    if story.seed % 3:
        return
    past = random.Random(story.seed)
    for one in [summary for summary in await runtime.runs() if not summary.key.startswith("fork")]:
        with suppress(AgentError):  # it cannot be forked there, or is one already
            await runtime.fork(one.run, at=past.choice([None, past.randint(1, 40)]), key=f"fork {one.run}")
    await people(story, runtime, boss)
    await take_back(story, runtime)


async def life(story: Story) -> bool:
    """One process; whether the story came to its end in it."""
    try:
        async with Runtime(
            store=story.store, agents=[story.boss, *story.world.children], ledgers=[ACME], clock=clock
        ) as runtime:
            story.world.runtime = runtime
            story.world.running.clear()
            if story.rule and not await runtime.rules.all() and not story.world.begun:
                await runtime.rules.add("pay", {"amount": 50}, by="mia", uses=USES)
            run = await runtime.start(story.boss, "Go.", key="k", ledgers=["acme"])
            await people(story, runtime, run)
            await take_back(story, runtime)
            await fork(story, runtime, run)
            return True
    except SystemFailed as died:
        if died.subgroup(PowerCut) is None:
            raise
    except PowerCut:
        pass
    return False


async def play(seed: int) -> None:
    """A story from its beginning to its end, over some deaths."""
    story = begin(seed)
    for number in range(LIVES):
        story.store.revive()
        story.store.dies_at = 0 if number == LIVES - 1 else story.rng.randint(2, 90)
        story.store.after = story.rng.random() < 0.5
        async with asyncio.timeout(PATIENCE):
            if await life(story):
                break
    await judge(story)


async def judge(story: Story) -> None:
    """What may never have happened."""
    story.store.revive()
    async with Runtime(
        store=story.store, agents=[story.boss, *story.world.children], ledgers=[ACME], clock=clock
    ) as runtime:
        runs = await runtime.runs()
        books = {one.run: await logbook(runtime, one) for one in runs}
        ledgers = await runtime.ledgers()
    assert (await story.store.verify()).problems == ()
    for one in runs:
        judge_run(one, books[one.run], story.world)
    each = {one.run: money(books[one.run], one, story.world) for one in runs}
    spent = round(sum(each.values()), 9)
    for top in runs:
        below = sum(each[one.run] for one in runs if top.run in above(one, runs))
        most = ceiling(story, top, books[top.run])
        assert round(below, 9) <= most, f"{below} spent in {top.run} and below, and {most} allowed"
    assert ledgers or not spent, f"{spent} spent, and no ledger knows"
    for ledger in ledgers:
        assert (ledger.reserved_usd, ledger.waiting) == (0, 0), f"{ledger} leaks"
        assert spent <= ledger.cost_usd <= cast(float, ACME.cost_usd), f"{spent} spent, the ledger has {ledger}"
    used = [data for book in books.values() for kind, data in book if kind == "approval.ruled"]
    assert len(used) <= (USES if story.rule else 0)
    assert story.world.crowds["look"] <= 1


def above(one: RunSummary, runs: list[RunSummary]) -> set[str]:
    """The run, and those that it is a sub-run of."""
    by_id = {each.run: each for each in runs}
    found: set[str] = set()
    while one.run not in found:
        found.add(one.run)
        one = by_id.get(one.parent, one)
    return found


def ceiling(story: Story, one: RunSummary, book: list[tuple[str, Fields]]) -> float:
    """What the run may cost, as people have raised it."""
    agents = {agent.name: agent for agent in (story.boss, *story.world.children)}
    raised = [cast(Fields, data["limits"]).get("cost_usd", 0.0) for kind, data in book if kind == "limit.raised"]
    return max(cast("list[float]", [agents[one.agent].limits.cost_usd, *raised]))


async def logbook(runtime: Runtime, summary: RunSummary) -> list[tuple[str, Fields]]:
    """What stands in a run's."""
    run = await runtime.run(summary.run)
    return [(event.kind, event.data) async for event in run.past()]


def money(book: list[tuple[str, Fields]], one: RunSummary, world: World) -> float:
    """What the run has really cost: each answer that came, and each call that was made, once by its key."""
    answers = sum(kind == "model.replied" for kind, _ in book)
    made = {(name, key) for name, key, _ in world.done if key.startswith(f"{one.run}/")}
    return answers * CENT.cost_usd + sum(COSTS.get(name, 0.0) for name, _ in made)


def judge_run(one: RunSummary, book: list[tuple[str, Fields]], world: World) -> None:
    """One run by its logbook and the world."""
    assert [kind for kind, _ in book].count("run.ended") == 1, f"{one.run} ended more or less than once"
    assert one.status.is_final
    allowed = {str(data["call"]): data for kind, data in book if kind == "call.judged" and data["verdict"] == "allow"}
    said = {str(data["call"]): data for kind, data in book if kind in ("approval.decided", "approval.ruled")}
    asked = {str(data["call"]): data for kind, data in book if kind == "call.requested"}
    asked |= {str(data["call"]): data for kind, data in book if kind == "call.rewritten"}
    asked |= {call: data for call, data in said.items() if data.get("arguments")}
    counted = {data["by"] for kind, data in book if kind in ("approval.decided", "approval.counted")}
    assert counted <= {"mia", "bob", "deadline"}, f"strangers have decided: {counted}"
    needed = {str(data["call"]): data["quorum"] for kind, data in book if kind == "approval.requested"}
    for call, data in said.items():
        if cast(int, needed.get(call, 1)) > 1 and data.get("approved"):
            assert len(set(cast("list[str]", data["given"]))) == needed[call], f"{call} had too few voices: {data}"
    mine = [(name, key.partition("/")[2], value) for name, key, value in world.done if key.startswith(f"{one.run}/")]
    granted = {"look", "book", "pay"} if one.parent else {"look", "book", "reserve", "hold", "pay", "delegate"}
    for name, call, value in mine:
        if name == "cancel":
            continue
        assert name in granted, f"{name} ran in {one.run}"
        call = call.removesuffix("/fallback")
        decided = call in said and said[call].get("approved", True)
        assert decided if call in said else call in allowed, f"{name} {call} of {one.run} ran, and nobody allowed it"
        assert value in cast(Fields, asked[call]["arguments"]).values(), f"{name} {call} ran with {value}"
    for name in ("pay", "book", "cancel"):
        times = world.times(name)
        assert all(number == 1 for number in times.values()), f"{name} ran twice: {times}"
    booked = {call for name, call, _ in mine if name == "book"}
    undone = {call.removesuffix("/undo") for name, call, _ in mine if name == "cancel"}
    assert undone <= booked
    if any(kind == "unwind.ended" for kind, _ in book):
        assert undone == booked, f"{one.run} is unwound, and {booked - undone} is not"


@pytest.mark.parametrize("seed", range(8))
def test_whatever_happens_at_once_nothing_runs_that_nobody_allowed_and_nobody_waits(seed: int) -> None:
    simulate(lambda: play(seed), seed=seed)


@pytest.mark.slow
def test_that_holds_for_a_thousand_stories() -> None:
    for seed in range(8, 1_008):
        simulate(lambda seed=seed: play(seed), seed=seed)  # type: ignore[misc]  # bound at once
