"""A model that does what it likes, tools that fail, a person who errs and a process that dies: what may not happen.

Every seed is another story. What happened is judged by a ledger outside of the runtime, beside what the logbook says.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import cast

import attrs
import pytest
from tests.agents.play import Mortal, PowerCut, Rule

from choragus.actors.testing.simulation import simulate
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentError, ModelError, Outcome
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall
from choragus.agents.policy import Allow, Ask, Check, Deny, Policy, Rewrite, Stage, Verdict
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.supervision.errors import SystemFailed

NAMES = ["look", "look", "book", "reserve", "pay", "pay", "рay", "PAY", "pay ", "transfer", "__class__", ""]  # noqa: RUF001  # the third has a Cyrillic letter
LIVES = 12


@attrs.define
class World:
    """What really happened: each call of a function, in order, with the arguments that it got."""

    rng: random.Random
    done: list[tuple[str, str, object]] = attrs.field(factory=list)
    model: Counter[int] = attrs.field(factory=Counter)

    def times(self, name: str) -> Counter[str]:
        """How often each call of a tool was made, by its key."""
        return Counter(key for tool, key, _ in self.done if tool == name)


def wild_tools(world: World) -> list[Tool]:
    """Four tools that fail, hang or give back rubbish as they like, after they have done what they do."""

    async def act(name: str, context: ToolContext, value: object) -> str:
        world.done.append((name, context.idempotency_key, value))
        match world.rng.randrange(12):
            case 0:
                raise RuntimeError("it broke")
            case 1:
                await asyncio.sleep(3600)
            case 2:
                return cast("str", object())
            case _:
                pass
        return f"{name} {value}"

    @tool(risk="read", timeout=5)
    async def look(at: str, *, context: ToolContext) -> str:
        """Look at something."""
        return await act("look", context, at)

    @tool(risk="reversible", timeout=5)
    async def book(what: str, *, context: ToolContext) -> str:
        """Book something."""
        return await act("book", context, what)

    @tool(risk="reversible", idempotent=True, timeout=5)
    async def reserve(what: str, *, context: ToolContext) -> str:
        """Reserve something."""
        return await act("reserve", context, what)

    @tool(risk="irreversible", timeout=5)
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay an amount."""
        return await act("pay", context, amount)

    return [look, book, reserve, pay]


def wild_model(world: World, seed: int) -> FunctionModel:
    """Asks for whatever there is and whatever there is not; the same request gets the same answer."""

    def answer(request: ModelRequest) -> Answer:
        said = sum(line.role == "assistant" for line in request.messages)
        rng = random.Random(f"{seed}/{len(request.messages)}")
        world.model[said] += 1
        if rng.random() < 0.1 and world.model[said] < 2:
            raise ModelError("busy", retryable=True)
        if said > 8 or rng.random() < 0.08:
            return "that is all"
        return ModelReply(rng.choice(["", "because"]), calls=tuple(_call(rng) for _ in range(rng.randint(1, 4))))

    return FunctionModel(answer)


def _call(rng: random.Random) -> ToolCall:
    name = rng.choice(NAMES)
    key = {"look": "at", "pay": "amount"}.get(name, "what")
    value: object = rng.choice([1, 50]) if name == "pay" else rng.choice(["sea", "sky"])
    arguments: dict[str, object] = {key: value}
    match rng.randrange(10):
        case 0:
            arguments = {}
        case 1:
            arguments = {key: {"nested": [1, None]}}
        case 2:
            arguments["approved"] = True
        case _:
            pass
    return ToolCall(rng.choice(["", "a", "same"]), name, arguments)


def wild_policies(rng: random.Random) -> list[Policy]:
    """None, or a few at any stage."""

    def says(check: Check) -> Verdict | None:
        if check.stage is Stage.CALL:
            if check.tool == "pay":
                return Allow("small") if check.arguments["amount"] == 1 and rng.random() < 0.3 else None
            return random.Random(check.call).choice([None, None, None, Ask("look"), Deny("no")])
        choices: list[Verdict | None] = [None, None, None, Rewrite(text=check.text + "!"), Ask("read"), Deny("rude")]
        return random.Random(f"{check.stage}{check.step}").choice(choices)

    return [Rule(stage, says, name=stage.value, looks_back=2) for stage in Stage if rng.random() < 0.4]


async def person(run: Run, world: World, rng: random.Random) -> None:
    """Decides rightly, wrongly, twice, or not at all; settles by what the world says."""
    for approval in await run.pending():
        forged = attrs.evolve(approval, hash="0" * 64)
        with pytest.raises(AgentError):
            await run.approve(forged, by="mallory")
        if rng.random() < 0.9:
            decide = run.approve if rng.random() < 0.7 else run.deny
            with suppress(AgentError):  # what they said in the life before may arrive first
                await decide(approval, by="mia")
    for unknown in await run.unknown():
        happened = world.times(unknown.tool)[unknown.idempotency_key] > 0
        with suppress(AgentError):
            await run.settle(unknown.call, "happened" if happened else "not", by="mia")


async def life(store: Mortal, agent: Agent, world: World, rng: random.Random) -> str | None:
    """One process; what the run came to, or None when the process died first."""
    try:
        async with Runtime(store=store, agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.", key="k")
            async for _ in run.events():
                await person(run, world, rng)
            store.dies_at = 0
            try:
                return await run.result(0)
            except Outcome as outcome:
                return str(outcome)
    except SystemFailed as died:
        if died.subgroup(PowerCut) is None:
            raise
    return None


async def story(seed: int) -> None:
    """A run from its beginning to its end, over some deaths."""
    rng = random.Random(seed)
    limits = Limits(steps=rng.randint(2, 7), tool_calls=rng.choice([None, 3, 6]))
    world, store = World(random.Random(seed + 1)), Mortal()
    agent = Agent(
        "wild",
        model=wild_model(world, seed),
        tools=wild_tools(world),
        limits=limits,
        policies=wild_policies(random.Random(seed + 2)),
    )
    for number in range(LIVES):
        store.revive()
        store.dies_at = 0 if number == LIVES - 1 else rng.randint(2, 40)
        store.after = rng.random() < 0.5
        ended = await life(store, agent, world, rng)
        if ended is not None:
            break

    assert ended is not None
    await judge(store, agent, world, limits)


async def judge(store: Mortal, agent: Agent, world: World, limits: Limits) -> None:
    """What may never have happened."""
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", key="k")
        logged = [(event.kind, event.data) async for event in run.past()]
        summary = await run.status()
        assert (await store.verify()).problems == ()
    granted = {t.name for t in agent.tools}
    assert {name for name, _, _ in world.done} <= granted
    assert [kind for kind, _ in logged].count("run.ended") == 1
    allowed = {data["call"] for kind, data in logged if kind == "call.judged" and data["verdict"] == "allow"}
    approved = {data["call"] for kind, data in logged if kind == "approval.decided" and data["approved"]}
    denied = {data["call"] for kind, data in logged if kind == "approval.decided" and not data["approved"]}
    asked = {data["call"]: data for kind, data in logged if kind == "approval.requested"}
    for name, key, value in world.done:
        call = key.partition("/")[2]
        assert call in allowed | approved, f"{name} {call} ran, and nobody allowed it"
        assert call not in denied or call in allowed, f"{name} {call} ran, and it was denied"
        if call in asked and call not in allowed:
            assert value in cast("dict[str, object]", asked[call]["arguments"]).values()
    for name in ("pay", "book"):
        assert all(times == 1 for times in world.times(name).values()), f"{name} ran twice: {world.times(name)}"
    if limits.tool_calls is not None:
        assert len({key for _, key, _ in world.done}) <= limits.tool_calls
    assert limits.steps is not None
    assert summary.steps <= limits.steps


@pytest.mark.parametrize("seed", range(6))
def test_whatever_a_model_does_nothing_runs_that_nobody_allowed(seed: int) -> None:
    simulate(lambda: story(seed), seed=seed)


@pytest.mark.slow
def test_that_holds_for_a_thousand_models(tmp_path: Path) -> None:
    for seed in range(6, 1_006):
        simulate(lambda seed=seed: story(seed), seed=seed)  # type: ignore[misc]  # bound at once
