"""Stories of runs in which all parts meet at random, over deaths of the process: what has to hold in each of them."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

import attrs
import pytest

from choragus.actors.errors import SystemStopped
from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulate
from choragus.agents.agent import Agent
from choragus.agents.cli.timeline import Timeline
from choragus.agents.errors import AgentError, TextRefused
from choragus.agents.fork import whole_conversation
from choragus.agents.inspection import RunSummary
from choragus.agents.output import Output
from choragus.agents.plan.book import PROPOSED, REVISED, Book
from choragus.agents.plan.reading import plan_entries
from choragus.agents.plan.step import Plan, PlanStep
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.agents.stream import run_stream
from choragus.supervision.errors import SystemFailed

from .play import PowerCut
from .wild_runs import Recorded, Report, World, wild_agent

LIVES = 5
PATIENCE = 3_000.0
"""Seconds of virtual time in which each life has to come to its end."""

TEXTS = 4
RUNS = 6
"""So many runs are said something, and forked, at most."""


@attrs.define
class Story:
    """Who plays, and what was said so far."""

    seed: int
    world: World
    agents: list[Agent]
    rng: random.Random
    sent: set[str] = attrs.field(factory=set)
    refused: set[str] = attrs.field(factory=set)
    plans: dict[str, int] = attrs.field(factory=dict)


def begin(seed: int) -> Story:
    """Everything is drawn from the seed."""
    world = World(random.Random(seed + 1), Recorded())
    return Story(seed, world, [wild_agent(world, seed, name) for name in ("clerk", "helper")], random.Random(seed))


async def decide(run: Run, story: Story) -> None:
    """What waits for a person."""
    rng = story.rng
    for approval in await run.pending():
        with suppress(AgentError):  # decided in the life before
            if rng.random() < 0.2:
                await approval.deny(by="mia")
            elif approval.kind == "question":
                await approval.answer(rng.choice(list(approval.options) or ["by hand"]), by="mia")
            else:
                await approval.approve(by="mia")
    for one in await run.unknown():
        happened = story.world.done[one.idempotency_key] > 0
        with suppress(AgentError):
            await run.settle(one, "happened" if happened else "not", by="mia", result='"so"' if happened else "")


async def say(story: Story, runtime: Runtime, run: Run) -> None:
    """Something new, or again what was said before a crash."""
    text = f"text {story.rng.randrange(TEXTS)} of the user"
    try:
        async with asyncio.timeout(600):
            await run.send(text, by="mia", key=text)
        story.sent.add(text)
    except TextRefused:
        story.refused.add(text)
    except (SystemFailed, SystemStopped):
        pass  # it is said again, or not
    except TimeoutError:
        assert any(one.waits for one in await runtime.runs()), "a text waits, and nothing says so"


async def people(story: Story, runtime: Runtime) -> None:
    """Look in every second until all has ended."""
    rng, talks = story.rng, set[asyncio.Task[None]]()
    for one in await runtime.runs():
        await (await runtime.run(one.run)).resume(by="bob")  # perhaps they died while it was paused
    seconds = 0
    while talks or any(not one.status.is_final for one in await runtime.runs()):
        seconds += 1
        talks = {one for one in talks if not one.done() or one.result()}
        for one in await runtime.runs():
            run = await runtime.run(one.run)
            await decide(run, story)
            await look(run)
            if rng.random() < 0.05 and seconds < 60 and not one.parent and await few(runtime):
                talks.add(asyncio.ensure_future(say(story, runtime, run)))
            if rng.random() < 0.02 and seconds < 40:
                await run.pause(by="bob")
                await asyncio.sleep(rng.choice([0.0, 5.0]))
                await look(run)
                await run.resume(by="bob")
            if rng.random() < 0.01 and seconds < 40:
                await run.cancel(by="mia")
        await asyncio.sleep(rng.choice([0.0, 0.01, 1.0]) if seconds < 200 else 5)


async def few(runtime: Runtime) -> bool:
    """Whether there may be more runs."""
    return len(await runtime.runs()) < RUNS


async def look(run: Run) -> None:
    """From outside; nothing of it may raise."""
    summary = await run.status()
    assert not (await run.doing()).endswith(" ")
    await run.plan()
    assert summary.status is not Status.WAITING or summary.waits
    with suppress(AgentError):  # it has assembled none yet
        await run.explain()


async def life(story: Story) -> bool:
    """One process; whether the story came to its end in it."""
    store = story.world.store
    try:
        async with Runtime(store=store, agents=story.agents, clock=clock) as runtime:
            boss = story.agents[0]
            first = await runtime.start(boss, "text goal of the user", key="k", thread="t", plan=given(boss))
            await people(story, runtime)
            say_more = story.rng.random() < 0.5
            if say_more:
                await say(story, runtime, first)
                await people(story, runtime)
            await fork(story, runtime)
            await take_back(story, runtime)
            return True
    except SystemFailed as died:
        if died.subgroup(PowerCut) is None:
            raise
    except PowerCut:
        pass
    return False


def given(agent: Agent) -> Plan | None:
    """The plan that it has to be given."""
    if agent.planning is None or agent.planning.proposes:
        return None
    return Plan([PlanStep("a", "Do a."), PlanStep("b", "Do b.", after=["a"], tools=["look"])])


async def fork(story: Story, runtime: Runtime) -> None:
    """Go on from somewhere in the past of each run."""
    past = random.Random(story.seed)
    for one in [summary for summary in await runtime.runs() if not summary.key.startswith("fork")][-3:]:
        last = (await runtime.store.extent(run_stream(one.run))).last
        for at in (None, past.randint(1, last)):
            with suppress(AgentError):  # it had ended there
                await runtime.fork(one.run, at=at, key=f"fork {one.run} {at}")
    await people(story, runtime)


async def take_back(story: Story, runtime: Runtime) -> None:
    """What has failed."""
    for one in await runtime.runs():
        run = await runtime.run(one.run)
        if one.status is not Status.COMPLETED:
            with suppress(AgentError):
                for _ in range(5):
                    await decide(run, story)
                    if (await run.unwind(by="mia")).over:
                        break


async def play(seed: int, patch: pytest.MonkeyPatch) -> None:
    """A story from its beginning to its end, over some deaths."""
    story = begin(seed)
    story.world.watch(patch)
    for number in range(LIVES):
        store = story.world.store
        store.revive()
        store.dies_at = 0 if number == LIVES - 1 else story.rng.randint(2, 150)
        store.after = story.rng.random() < 0.5
        async with asyncio.timeout(PATIENCE):
            if await life(story):
                break
    await judge(story)


async def judge(story: Story) -> None:
    """What has to hold."""
    story.world.store.revive()
    assert not story.world.wrong, story.world.wrong
    async with Runtime(store=story.world.store, agents=story.agents, clock=clock) as runtime:
        await asyncio.sleep(10)  # what was on its way arrives
        for one in await runtime.runs():
            run = await runtime.run(one.run)
            await judge_run(story, run, await run.status())
        thread = await runtime.thread("t")
        said = [line.message async for line in thread.history()]
        texts = Counter(line.text.strip() for line in said if line.role == "user" and line.text.startswith("text "))
        assert all(times == 1 for times in texts.values()), texts
        for one in await thread.runs():
            heard, refused = await received(await runtime.run(one.run))
            assert heard <= texts.keys() | refused, f"{heard - texts.keys() - refused} was heard, and is nowhere"
        ids = Counter(call.id for line in said for call in line.calls)
        assert all(times == 1 for times in ids.values()), ids.most_common(3)
    assert (await story.world.store.verify()).problems == ()


async def received(run: Run) -> tuple[set[str], set[str]]:
    """The texts that a run has taken, and those that were refused."""
    past = [(event.kind, event.data) async for event in run.past()]
    said = {data["text"]: str(data["said"]) for kind, data in past if kind == "text.received"}
    return set(said.values()), {said[data["text"]] for kind, data in past if kind == "text.refused"}


async def judge_run(story: Story, run: Run, summary: RunSummary) -> None:
    """One run."""
    store = story.world.store
    assert summary.status.is_final
    entries = await store.read(run_stream(run.id), 0, 100_000)
    kinds = Counter(entry.kind for entry in entries)
    assert kinds["run.ended"] == 1
    assert kinds["message.parked"] == 0
    assert Timeline(100).lines(entries)
    spent = (summary.input_tokens, summary.output_tokens, round(summary.cost_usd, 9))
    assert spent == story.world.spent(run.id), f"{run.id} has spent {story.world.spent(run.id)}, and says {spent}"
    if summary.agent and summary.status is Status.COMPLETED and typed(story, summary.agent):
        assert Output(Report).fault(summary.outcome) == ""
    every = await whole_conversation(store, run.id)
    lines = [line.text for line in every if line.role == "assistant" and line.text.strip()]
    assert all(times == 1 for times in Counter(lines).values()), Counter(lines).most_common(2)
    await judge_plan(run, store)
    await judge_requests(story, run)


def typed(story: Story, agent: str) -> bool:
    """Whether its answers are."""
    return next(one for one in story.agents if one.name == agent).typed is not None


async def judge_plan(run: Run, store: Recorded) -> None:
    """No step that was over was touched again."""
    book = Book()
    for kind, fields in await plan_entries(store, run.id):
        over = {id: one for id, one in book.steps.items() if one.state.is_over}
        book.take(kind, fields)
        assert all(book.steps.get(id) == one for id, one in over.items()), f"{kind} {fields} after {over}"
        assert kind in (PROPOSED, REVISED) or fields["step"] not in over


async def judge_requests(story: Story, run: Run) -> None:
    """What is explained is what was sent."""
    for (id, step), (_, sent) in story.world.last.items():
        if id != run.id:
            continue
        with suppress(AgentError):  # the first step of some forks has begun elsewhere
            told = await run.explain(step)
            lines = [(one.role, one.text) for one in told.lines]
            assert lines == [(one.role, one.text) for one in sent.messages], f"step {step} of {id}"
            assert told.instructions == sent.instructions
            assert sorted(told.tools) == sorted(one.name for one in sent.tools), f"step {step} of {id}"


@pytest.mark.parametrize("seed", range(6))
def test_whatever_parts_meet_a_run_comes_to_a_right_end(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    simulate(lambda: play(seed, monkeypatch), seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10))
def test_full_whatever_parts_meet_a_run_comes_to_a_right_end(hundred: int) -> None:
    for seed in range(6 + hundred * 100, 106 + hundred * 100):
        with pytest.MonkeyPatch.context() as patch:
            simulate(lambda seed=seed, patch=patch: play(seed, patch), seed=seed)  # type: ignore[misc]  # bound at once
