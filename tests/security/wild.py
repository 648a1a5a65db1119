"""A world in which everything is used at once, at random: tools, people, ceilings, sub-runs; and what it has seen."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from typing import cast

import attrs
from tests.agents.play import Rule

from choragus.agents.agent import Agent
from choragus.agents.approver import Approvals
from choragus.agents.errors import AgentError, ModelError, ToolError
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.limits import AtLimit, Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.policy import Allow, Ask, Check, Deny, Policy, Rewrite, Stage, Verdict
from choragus.agents.question import ask_person
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Retry

COSTS = {"look": 0.0, "book": 0.05, "reserve": 0.02, "hold": 0.03, "pay": 0.1, "delegate": 0.0}
CENT = Usage(input_tokens=50, output_tokens=20, cost_usd=0.01)
MOST = Usage(input_tokens=100, output_tokens=50, cost_usd=0.02)
AT: list[dict[str, AtLimit]] = [
    {},
    {"*": "ask"},
    {"*": "escalate"},
    {"*": "degrade"},
    {"cost_usd": "ask", "*": "degrade"},
]
RETRY = Retry(times=2, first=0.5, most=2.0)


@attrs.define
class World:
    """What really happened: each call of a function with its key and value, and how many ran at once."""

    rng: random.Random
    runtime: Runtime | None = None
    children: list[Agent] = attrs.field(factory=list)
    begun: int = 0
    done: list[tuple[str, str, object]] = attrs.field(factory=list)
    running: Counter[str] = attrs.field(factory=Counter)
    crowds: Counter[str] = attrs.field(factory=Counter)
    models: Counter[tuple[str, int]] = attrs.field(factory=Counter)

    def times(self, *names: str) -> Counter[str]:
        """How often each call of a tool was made, by its key."""
        return Counter(key for name, key, _ in self.done if name in names)

    async def act(self, name: str, context: ToolContext, value: object) -> str:
        """Do it, late or never; what raises before it is done has told the truth."""
        run = context.run
        self.begun += 1
        for place in (run, name):
            self.running[place] += 1
            self.crowds[place] = max(self.crowds[place], self.running[place])
        try:
            if self.rng.random() < 0.2:
                await asyncio.sleep(self.rng.choice([0.1, 1.0]))
            match self.rng.randrange(14):
                case 0:
                    raise RuntimeError("it broke")
                case 1:
                    raise ToolError("denied: not now", retryable=True)
                case _:
                    self.done.append((name, context.idempotency_key, value))
            match self.rng.randrange(14):
                case 0:
                    await asyncio.sleep(3600)
                case 1:
                    return cast("str", object())
                case _:
                    pass
        finally:
            self.running.subtract([run, name])
        return f"{name} {value}"


def wild_tools(world: World) -> list[Tool]:
    """Tools of each kind, with all that may be said of one."""

    @tool(risk="read", timeout=5, concurrency=1, retries=RETRY, fallback="nothing seen")
    async def look(at: str, *, context: ToolContext) -> str:
        """Look at something."""
        return await world.act("look", context, at)

    @tool(risk="reversible", timeout=5, retries=RETRY)
    async def cancel(what: str, *, context: ToolContext) -> str:
        """Cancel a booking."""
        return await world.act("cancel", context, what)

    @tool(risk="reversible", timeout=5, undo=cancel, retries=RETRY, cost_usd=COSTS["book"], calls_per_run=4)
    async def book(what: str, *, context: ToolContext) -> str:
        """Book something."""
        return await world.act("book", context, what)

    @tool(risk="reversible", idempotent=True, timeout=5, cost_usd=COSTS["hold"])
    async def hold(what: str, *, context: ToolContext) -> str:
        """Hold something back."""
        return await world.act("hold", context, what)

    @tool(risk="reversible", idempotent=True, timeout=5, retries=RETRY, fallback=hold, cost_usd=COSTS["reserve"])
    async def reserve(what: str, *, context: ToolContext) -> str:
        """Reserve something."""
        return await world.act("reserve", context, what)

    @tool(risk="irreversible", timeout=5, retries=RETRY, cost_usd=COSTS["pay"])
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay an amount."""
        return await world.act("pay", context, amount)

    @tool(risk="reversible", idempotent=True, timeout=5)
    async def delegate(what: str, *, context: ToolContext) -> str:
        """Have another agent do it."""
        assert world.runtime is not None
        above = await world.runtime.run(context.run)
        try:
            run = await world.runtime.start(
                world.children[0], what, parent=above, key=context.idempotency_key, tools=("look", "book", "pay")
            )
        except AgentError as refused:
            raise ToolError(str(refused)) from None
        await asyncio.sleep(world.rng.choice([0.0, 2.0]))
        return (await run.status()).status.value

    return [look, book, reserve, pay, delegate, ask_person]


def wild_model(world: World, seed: str) -> FunctionModel:
    """Asks for whatever there is and whatever there is not; the same request gets the same answer."""
    names = [
        "look",
        "look",
        "book",
        "book",
        "book",
        "reserve",
        "reserve",
        "pay",
        "pay",
        "delegate",
        "ask_person",
        "hold",
        "",
    ]

    def answer(request: ModelRequest) -> Answer:
        said = sum(line.role == "assistant" for line in request.messages)
        rng = random.Random(f"{seed}/{len(request.messages)}")
        world.models[seed, said] += 1
        if rng.random() < 0.1 and world.models[seed, said] < 2:
            raise ModelError("busy", retryable=True)
        if said > 6 or rng.random() < 0.08:
            return ModelReply("that is all", usage=CENT)
        asked = tuple(_call(rng, rng.choice(names)) for _ in range(rng.randint(1, 4)))
        return ModelReply(rng.choice(["", "because"]), calls=asked, usage=CENT)

    model = FunctionModel(answer)
    model.estimate = lambda request: MOST  # type: ignore[method-assign]  # its price
    return model


def _call(rng: random.Random, name: str) -> ToolCall:
    key = {"look": "at", "pay": "amount", "ask_person": "question"}.get(name, "what")
    value: object = rng.choice([1, 50]) if name == "pay" else rng.choice(["sea", "sky"])
    arguments: dict[str, object] = {} if rng.random() < 0.1 else {key: value}
    if rng.random() < 0.1:
        arguments["approved"] = True
    return ToolCall(rng.choice(["", "a", "call-2.2", "call-2.3"]), name, arguments)


def wild_policies(rng: random.Random) -> list[Policy]:
    """None, or a few at any stage."""

    def says(check: Check) -> Verdict | None:
        own = random.Random(f"{check.stage}{check.step}{check.call}")
        if check.stage is Stage.CALL:
            small = check.tool == "pay" and check.arguments["amount"] == 1
            rewrite = Rewrite(arguments={"amount": 2}) if check.tool == "pay" else None
            return own.choice([None, None, rewrite, Ask("look"), Deny("no"), Allow("small") if small else None])
        return own.choice([None, None, None, Rewrite(text=check.text + "!"), Ask("read"), Deny("rude")])

    found: list[Policy] = [Rule(stage, says, name=stage.value, looks_back=2) for stage in Stage if rng.random() < 0.3]
    if rng.random() < 0.2:
        found.append(InformationFlow(unplanned="ask"))
    return found


def wild_limits(rng: random.Random) -> Limits:
    """Ceilings that are reached."""
    return Limits(
        steps=rng.randint(2, 7),
        cost_usd=rng.choice([0.08, 0.12, 0.4]),
        tool_calls=rng.choice([None, 3, 8]),
        per_tool=rng.choice([{}, {"pay": 1}, {"book": 2, "look": 1}]),
        parallel=rng.choice([None, 1, 2]),
        bad_calls=rng.choice([1, 20]),
        depth=rng.choice([0, 1, 2]),
        at_limit=rng.choice(AT),
    )


def wild_approvals(rng: random.Random) -> Approvals:
    """Anybody, one of two, or both; in time or not."""
    chain, quorum = rng.choice([((), 1), ((("mia", "bob"),), 1), ((("mia", "bob"),), 2), ((("mia",), ("bob",)), 1)])
    return Approvals(chain=chain, quorum=quorum, within=rng.choice([None, 40.0]))
