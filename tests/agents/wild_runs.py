"""A world in which the parts of a run meet at random: plans, contexts, types, fallbacks, policies, limits, texts."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence

import attrs
import msgspec
import pytest

from choragus.actors.effect import EffectContext
from choragus.agents.agent import Agent
from choragus.agents.context.block import Block
from choragus.agents.context.errand import CallSummary
from choragus.agents.context.option import Context
from choragus.agents.context.retrieval import Retrieval, Retrieved
from choragus.agents.context.strategy import DropResults, MessageRule, Strategy, Summarise, Window
from choragus.agents.context.summarising import Summariser
from choragus.agents.errand import CallModel, ModelReplied
from choragus.agents.errors import ModelError, ToolError
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.limits import AtLimit, Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import ENDS, AskPerson, Fallback, Recovery, UseAgent, UseModel, UseTool
from choragus.agents.policy import Ask, Check, Deny, Policy, Rewrite, Stage, Verdict
from choragus.agents.scripted import Answer, FunctionModel
from choragus.agents.service import Services
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.options import Retry
from choragus.mailbox.codec import decode
from choragus.mailbox.turn import Batch, Committed, EffectState, Rejected

from .context_play import pairs_are_whole
from .play import Mortal, Rule

MOST = Usage(input_tokens=900, output_tokens=50, cost_usd=0.02)
CENT = Usage(input_tokens=50, output_tokens=20, cost_usd=0.01)
AT: list[dict[str, AtLimit]] = [{}, {"*": "degrade"}, {"*": "degrade"}, {"*": "ask"}]


@attrs.frozen
class Report:
    """What typed agents answer."""

    said: str
    sure: bool = True


class Recorded(Mortal):
    """A store that knows which effects have come to their end."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: dict[str, object] = {}

    async def _write_down(self, batch: Batch) -> Committed | Rejected:
        before = dict(self._effects)
        result = await super()._write_down(batch)
        for closure in batch.closures:
            is_taken = isinstance(result, Committed) and closure.effect not in result.dropped
            if is_taken and closure.state is EffectState.DONE:
                self.ended[closure.effect] = decode(before[closure.effect].record)
        return result


@attrs.define
class World:
    """What really happened: the calls of tools, and what models were asked and have said."""

    rng: random.Random
    store: Recorded
    done: Counter[str] = attrs.field(factory=Counter)
    requests: dict[object, ModelRequest] = attrs.field(factory=dict)
    last: dict[tuple[str, int], tuple[CallModel, ModelRequest]] = attrs.field(factory=dict)
    paid: dict[tuple[str, str], Usage] = attrs.field(factory=dict)
    wrong: list[str] = attrs.field(factory=list)

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Look at each model call on its way."""
        called, ran, summarised = Services.call_model, Services.call_tool, Summariser.call

        async def call_model(services: Services, request: object, context: EffectContext) -> object:
            assert isinstance(request, CallModel)
            sent = await services.request(request)
            self._asked(request, sent, context)
            return self._answered(request.run, context, await called(services, request, context))

        async def call_tool(services: Services, request: object, context: EffectContext) -> object:
            self._first(request, context)
            return await ran(services, request, context)

        async def summarise(self_: Summariser, request: object, context: EffectContext) -> object:
            assert isinstance(request, CallSummary)
            self._first(request, context)
            return self._answered(request.run, context, await summarised(self_, request, context))

        patch.setattr(Services, "call_model", call_model)
        patch.setattr(Services, "call_tool", call_tool)
        patch.setattr(Summariser, "call", summarise)

    def _first(self, request: object, context: EffectContext) -> None:
        if context.id in self.store.ended:
            self.wrong.append(f"{request} was made again")

    def _asked(self, request: CallModel, sent: ModelRequest, context: EffectContext) -> None:
        self._first(request, context)
        if self.requests.setdefault(request, sent) != sent:
            self.wrong.append(f"{request} was another request after a crash")
        self.last[request.run, request.step] = (request, sent)
        if not pairs_are_whole(sent.messages):
            self.wrong.append(f"{request} has calls without results: {[(m.role, m.text) for m in sent.messages]}")
        if "fail_step" in request.plan and not any(line.text.startswith("Step ") for line in sent.messages):
            self.wrong.append(f"{request} does not say which step is in hand")
        ids = Counter(call.id for line in sent.messages for call in line.calls)
        if ids and ids.most_common(1)[0][1] > 1:
            self.wrong.append(f"{request} has a call twice: {ids.most_common(1)}")

    def _answered(self, run: str, context: EffectContext, answer: object) -> object:
        if isinstance(answer, ModelReplied):
            spent = Usage(
                input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, cost_usd=answer.cost_usd
            )
            self.paid[run, context.id] = spent
        else:
            self.paid.pop((run, context.id), None)  # what it said in the life before was never known
        return answer

    def spent(self, run: str) -> tuple[int, int, float]:
        """What the run's models have cost whose answers are on disk."""
        kept = [one for (of, effect), one in self.paid.items() if of == run and effect in self.store.ended]
        return (
            sum(one.input_tokens for one in kept),
            sum(one.output_tokens for one in kept),
            round(sum(one.cost_usd for one in kept), 9),
        )

    async def act(self, name: str, context: ToolContext, value: object) -> str:
        """Do it; what raises has not done it."""
        if self.rng.random() < 0.1:
            raise ToolError("not now", retryable=False)
        self.done[context.idempotency_key] += 1
        if name != "look" and self.done[context.idempotency_key] > 1:
            self.wrong.append(f"{name} {context.idempotency_key} was made again")
        return f"{name} {value} " + "x" * self.rng.choice([0, 40, 300])


def wild_tools(world: World) -> list[Tool]:
    """One of each kind."""

    @tool(risk="read")
    async def look(at: str, *, context: ToolContext) -> str:
        """Look at something."""
        return await world.act("look", context, at)

    @tool(risk="reversible")
    async def cancel(what: str, *, context: ToolContext) -> str:
        """Take a booking back."""
        return f"cancelled {what}"

    @tool(risk="reversible", undo=cancel)
    async def book(what: str, *, context: ToolContext) -> str:
        """Book something."""
        return await world.act("book", context, what)

    @tool(risk="irreversible")
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay an amount."""
        return await world.act("pay", context, amount)

    return [look, book, pay]


class Mind:
    """A model: what it says follows from the seed and from what it is asked, whether it fails from the world."""

    def __init__(self, world: World, seed: str, fails: float) -> None:
        self.world, self.seed, self.fails = world, seed, fails

    async def __call__(self, request: ModelRequest) -> Answer:
        """Answer, in a while."""
        await asyncio.sleep(self.world.rng.choice([0.0, 0.3, 2.0]))
        if self.world.rng.random() < self.fails:
            raise ModelError("busy", retryable=self.world.rng.random() < 0.7)
        said = msgspec.json.encode([request.instructions, request.messages, request.tools, request.output])
        mark = hashlib.sha256(said).hexdigest()[:12]
        rng = random.Random(f"{self.seed}/{mark}")
        names = [one.name for one in request.tools]
        if names == ["propose_plan"]:
            return _plan(rng, mark)
        if not names or rng.random() < 0.4:
            return ModelReply(_words(rng, mark, request), usage=CENT)
        asked = tuple(_call(rng, rng.choice(names), f"{mark}-{n}") for n in range(rng.randint(1, 3)))
        return ModelReply(rng.choice(["", f"because {mark}"]), calls=asked, usage=CENT)


def _words(rng: random.Random, mark: str, request: ModelRequest) -> str:
    if request.output is not None and rng.random() < 0.8:
        text = json.dumps({"said": mark, "sure": True})
        return f"```json\n{text}\n```" if rng.random() < 0.3 else text
    return rng.choice([f"that is all {mark}", f'"{mark}"', f"that is {mark} " + "y" * 200])


def _plan(rng: random.Random, mark: str) -> ModelReply:
    if rng.random() < 0.2:
        return ModelReply(f"no plan {mark}", usage=CENT)
    return ModelReply(calls=(ToolCall(f"{mark}-p", "propose_plan", {"steps": _steps(rng, "s")}),), usage=CENT)


def _steps(rng: random.Random, name: str) -> list[dict[str, object]]:
    steps: list[dict[str, object]] = []
    for n in range(rng.randint(1, 3)):
        step: dict[str, object] = {"id": f"{name}{n}", "goal": f"Do {name}{n}."}
        if n and rng.random() < 0.5:
            step["after"] = [f"{name}{n - 1}"]
        match rng.randrange(5):
            case 0:
                step["done"] = {"kind": "called", "name": "look"}
            case 1:
                step["done"] = {"kind": "fits", "name": "string"}
            case 2:
                step["tools"] = ["look", "book"]
            case _:
                pass
        if rng.random() < 0.2:
            step["optional"] = True
        steps.append(step)
    return steps


def _call(rng: random.Random, name: str, id: str) -> ToolCall:
    match name:
        case "look":
            arguments: dict[str, object] = {"at": "sky"}
        case "book":
            arguments = {"what": "room"}
        case "pay":
            arguments = {"amount": 5}
        case "fail_step":
            arguments = {"reason": f"too hard {id}"}
        case "revise_plan":
            arguments = {"reason": "more", "steps": _steps(rng, id[-6:]), "drop": rng.choice([[], ["s2"]])}
        case "append_to_block":
            arguments = {"label": "notes", "text": f"noted {id}"}
        case _:
            arguments = {"label": "notes", "old": "", "new": "x"}
    if rng.random() < 0.05:
        arguments["more"] = 1
    return ToolCall(id, name if rng.random() > 0.05 else "invented", arguments)


def wild_model(world: World, seed: str, fails: float, name: str = "mind") -> FunctionModel:
    """A model of a price."""
    model = FunctionModel(Mind(world, seed, fails), name=name)
    model.estimate = lambda request: MOST  # type: ignore[method-assign]  # its price
    return model


def wild_agent(world: World, seed: int, name: str) -> Agent:
    """An agent of any of these parts."""
    rng = random.Random(f"{seed}/{name}")
    fails = rng.choice([0.0, 0.0, 0.2, 0.5])
    further = [wild_model(world, f"{seed}/{name}/{n}", 0.2, f"mind-{n}") for n in range(rng.choice([0, 0, 1, 2]))]

    def has(share: float) -> bool:
        return rng.random() < share

    return Agent(
        name,
        model=wild_model(world, f"{seed}/{name}", fails),
        prompt="Go on.",
        tools=wild_tools(world),
        fallbacks=further,
        cheaper=wild_model(world, f"{seed}/{name}/cheap", 0.3, "cheap") if has(0.2) else None,
        model_options=ModelOptions(retries=Retry(times=1, first=0.5, most=2.0)) if has(0.7) else ModelOptions(),
        planning=_planning(rng, len(further), name) if has(0.5) else None,
        context=_context(world, rng, f"{seed}/{name}") if has(0.6) else None,
        output=Report if has(0.5) else str,  # type: ignore[arg-type]  # either
        policies=wild_policies(rng),
        limits=_limits(rng),
    )


def _planning(rng: random.Random, further: int, name: str) -> Planning:
    ways: list[Fallback] = [AskPerson(), UseTool("look")]
    ways += [UseModel(n) for n in range(1, further + 1)]
    ways += [UseAgent("helper")] if name != "helper" else []
    chosen = rng.sample(ways, rng.randint(0, 2))
    errors = rng.choice([None, None, 1])
    recovery = Recovery(retries=rng.randint(0, 1), fallback=chosen, then=rng.choice(ENDS), tool_errors=errors)  # type: ignore[arg-type]  # one of them
    return Planning(recovery=recovery, revisions=rng.choice([0, 2]), proposes=name == "helper" or rng.random() < 0.8)


def _context(world: World, rng: random.Random, seed: str) -> Context:
    summary = wild_summary(world)
    every: list[Strategy] = [
        DropResults(older_than=1),
        Summarise(model=summary, keep_tokens=60),
        Window(tokens=rng.choice([200, 600])),
        MessageRule(then="shorten", larger_than=100, to=50),
        MessageRule(then="drop", role="user", contains="does not pass"),
    ]
    blocks = [Block("notes", "none", limit=300)] if rng.random() < 0.5 else []
    chosen = [one for one in every if rng.random() < 0.5]
    looks = [Retrieval(Finder(), when=rng.choice(["start", "step"]), most_tokens=60)] if rng.random() < 0.3 else []
    return Context(
        budget_tokens=rng.choice([1_500, 1_700, 2_200, 9_000]), compaction=chosen, blocks=blocks, retrieve=looks
    )


class Finder:
    """Finds something for everything."""

    name = "finder"

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        """Two texts."""
        return [Retrieved(f"found for {query[:20]}", "page", 0.5), Retrieved("also", "book", 0.4, labels=("user",))]


def wild_summary(world: World) -> FunctionModel:
    """Writes short summaries, if any."""

    def says(request: ModelRequest) -> Answer:
        if world.rng.random() < 0.2:
            raise ModelError("busy", retryable=True)
        return ModelReply(f"{len(request.messages[0].text)} characters", usage=CENT)

    model = FunctionModel(says, name="short")
    model.estimate = lambda request: MOST  # type: ignore[method-assign]  # its price
    return model


def wild_policies(rng: random.Random) -> list[Policy]:
    """None, or a few at any stage."""
    found: list[Policy] = []
    for stage in Stage:
        if rng.random() < 0.2:
            found.append(Rule(stage, _says(rng.choice(["deny", "rewrite", "ask"]), rng.random()), name=stage.value))
    return [*found, InformationFlow(unplanned="ask")] if rng.random() < 0.2 else found


def _says(kind: str, salt: float) -> Callable[[Check], Verdict | None]:
    def says(check: Check) -> Verdict | None:
        own = random.Random(f"{check.stage}{check.step}{check.call}{check.text}{salt}")
        if own.random() < 0.7:
            return None
        if kind == "rewrite":
            more = "!" if check.stage is Stage.OUTPUT else " "
            return None if check.stage is Stage.CALL else Rewrite(text=check.text + more)
        return Ask("look") if kind == "ask" else Deny("rude")

    return says


def _limits(rng: random.Random) -> Limits:
    return Limits(
        steps=rng.randint(3, 14),
        cost_usd=rng.choice([0.1, 0.3, 5.0]),
        bad_calls=rng.choice([2, 20]),
        tool_calls=rng.choice([None, 6]),
        at_limit=rng.choice(AT),
    )
