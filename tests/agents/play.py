"""What the tests of a run are played with: tools that keep a ledger, agents, a store that dies, and parts that fail."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio
import attrs
import pytest

from choragus.actors.actor import Actor
from choragus.agents.agent import Agent
from choragus.agents.assessing import JudgeRun
from choragus.agents.context.errand import CallRetrieve, CallSummary
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.policy import Check, Stage, Verdict
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel
from choragus.agents.telemetry import Exporter
from choragus.agents.tool import Risk, Tool, ToolContext, tool
from choragus.mailbox.codec import decode
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, EffectState, Rejected
from choragus.supervision.errors import SystemFailed

T = TypeVar("T")


class Ledger:
    """What tools and models really did, outside of any runtime."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def count(self, key: str) -> int:
        """How often the call of that idempotency key was made."""
        return Counter(self.done)[key]

    def note(self, context: ToolContext) -> None:
        """One call."""
        self.done.append(context.idempotency_key)

    def calls(self) -> list[str]:
        """The calls without their run, in order."""
        return [key.partition("/")[2] for key in self.done]


def tools(ledger: Ledger) -> tuple[Tool, ...]:
    """One tool of each kind: `look` reads, `book` is reversible, `reserve` idempotent besides, `pay` irreversible."""

    @tool(risk="read")
    async def look(at: str, *, context: ToolContext) -> str:
        """Look at something."""
        ledger.note(context)
        return f"seen {at}"

    @tool(risk="reversible")
    async def book(what: str, *, context: ToolContext) -> str:
        """Book something."""
        ledger.note(context)
        return f"booked {what}"

    @tool(risk="reversible", idempotent=True)
    async def reserve(what: str, *, context: ToolContext) -> str:
        """Reserve something."""
        ledger.note(context)
        return f"reserved {what}"

    @tool(risk="irreversible")
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay an amount."""
        ledger.note(context)
        return f"paid {amount}"

    return look, book, reserve, pay


def call(name: str, id: str = "", **arguments: object) -> ToolCall:
    """A call of the model, its id the tool's name unless given."""
    return ToolCall(id or name, name, arguments)


def calls(*asked: ToolCall, usage: Usage | None = None) -> ModelReply:
    """A reply that asks for these calls."""
    return ModelReply(calls=asked, usage=usage)


def scripted(
    *replies: Answer | Exception, tools: Sequence[Tool] = (), limits: Limits | None = None, name: str = "clerk"
) -> Agent:
    """An agent that says these lines."""
    return Agent(name, model=ScriptedModel(replies), tools=tools, limits=limits or Limits())


def answering(function: Callable[[ModelRequest], Answer | Awaitable[Answer]], **options: object) -> Agent:
    """An agent whose model is a function."""
    return Agent("clerk", model=FunctionModel(function), **options)  # type: ignore[arg-type]  # as Agent checks them


async def kinds(run: Run[object]) -> list[str]:
    """The kinds of the run's logbook, in order."""
    return [event.kind async for event in run.past()]


async def data(run: Run[object], kind: str) -> list[dict[str, object]]:
    """The fields of the logbook's lines of a kind."""
    return [event.data async for event in run.past() if event.kind == kind]


async def until(run: Run[object], kind: str) -> dict[str, object]:
    """Wait for the first line of a kind."""
    async for event in run.events():
        if event.kind == kind:
            return event.data
    raise AssertionError(f"the run ended without {kind}: {await kinds(run)}")


async def soon(check: Callable[[], Awaitable[object]]) -> None:
    """Wait until the check gives something, at most 5 s."""
    async with asyncio.timeout(5):
        while True:
            if await check():
                return
            await asyncio.sleep(0.001)


async def eventually(run: Run[object], kind: str, times: int = 1) -> None:
    """Wait until the logbook has so many lines of a kind, also behind the run's end."""

    async def written() -> bool:
        return (await kinds(run)).count(kind) >= times

    await soon(written)


@attrs.frozen
class Rule:
    """A policy that is a function, at one stage."""

    stage: Stage
    says: Callable[[Check], Verdict | None]
    name: str = "rule"
    version: str = "7"
    looks_back: int = 0

    @property
    def stages(self) -> frozenset[Stage]:
        """The one."""
        return frozenset({self.stage})

    def judge(self, check: Check) -> Verdict | None:
        """What the function says."""
        return self.says(check)


class PowerCut(Exception):
    """Raised when the store dies."""


class Mortal(MemoryStore):
    """A store that dies with its n-th commit, either before or after it is written, and lives again when reopened."""

    def __init__(self) -> None:
        super().__init__()
        self.commits = 0
        self.dies_at = 0
        self.after = False
        self.over: set[str] = set()

    def kill(self) -> None:
        """Die with the next commit, before it is written."""
        self.dies_at, self.after = self.commits + 1, False

    def revive(self) -> None:
        """Live, and count from the beginning."""
        self.commits = self.dies_at = 0

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """See `Store.commit`."""
        self.commits += 1
        if self.dies_at and self.commits >= self.dies_at:
            if self.after and self.commits == self.dies_at:
                await self._write_down(batch)
            raise PowerCut(f"at commit {self.commits}")
        return await self._write_down(batch)

    async def _write_down(self, batch: Batch) -> Committed | Rejected:
        before = dict(self._effects)
        result = await super().commit(batch)
        for closure in batch.closures:
            is_taken = isinstance(result, Committed) and closure.effect not in result.dropped
            if is_taken and closure.state is EffectState.DONE:
                self.over.add(effect_key(decode(before[closure.effect].record)))
        return result

    def finished(self) -> set[str]:
        """The effects whose result is committed: `model 2` or `tool RUN/2.1`."""
        return set(self.over)


def effect_key(request: object) -> str:
    """How an effect is named in a ledger."""
    if hasattr(request, "tool"):
        return f"{request.run}/{request.call}"  # type: ignore[attr-defined]  # a CallTool
    if isinstance(request, CallSummary):
        return f"summary {request.upto}"
    if isinstance(request, CallRetrieve):
        return f"lookup {request.query}"
    if isinstance(request, JudgeRun):
        return f"success {request.answer}"
    return f"model {request.step}"  # type: ignore[attr-defined]  # a CallModel


def live(
    store: Store,
    agent: Agent[object],
    play: Callable[[Runtime], Awaitable[T]],
    exporter: Exporter | None = None,
    clock: Callable[[], float] = time.time,
    resources: object = None,
    others: Sequence[Agent] = (),
) -> T | None:
    """One life of a process: open the store, play, close. None when the store died; an event loop of its own."""

    async def main() -> T | None:
        try:
            async with Runtime(
                store=store, agents=[agent, *others], exporter=exporter, clock=clock, resources=resources
            ) as runtime:
                return await play(runtime)
        except SystemFailed as died:
            if died.subgroup(PowerCut) is None:
                raise
        return None

    return anyio.run(main)


def once(made: Tool, **arguments: object) -> Agent:
    """An agent that calls the tool once."""
    return scripted(calls(ToolCall(made.name, made.name, arguments)), "done", tools=[made])


def killed_while_it_runs(made: Tool, keys: list[str], store: Mortal) -> tuple[Agent, str]:
    """The process dies while the tool runs for the first time."""
    agent = once(made)

    async def first_life(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        async for event in run.events():
            if event.kind == "approval.requested":
                await run.approve((await run.pending())[0], by="me")
            if event.kind == "call.intended":
                break

        async def called() -> bool:
            return bool(keys)

        await soon(called)
        store.kill()
        await run.cancel()

    assert live(store, agent, first_life) is None
    store.revive()
    return agent, keys[0]


def sleeper(risk: str, *, idempotent: bool = False, timeout: float = 0.03) -> Tool:
    """A tool that never comes back."""

    @tool(risk=Risk(risk), idempotent=idempotent, timeout=timeout)
    async def endless() -> str:
        """Sleep."""
        await asyncio.sleep(3600)
        return "never"

    return endless


def interrupted(risk: str, *, idempotent: bool = False) -> tuple[Tool, list[str]]:
    """A tool that hangs when it is called first, and the idempotency keys that it was called with."""
    keys: list[str] = []

    @tool(risk=Risk(risk), idempotent=idempotent)
    async def act(*, context: ToolContext) -> str:
        """Act."""
        keys.append(context.idempotency_key)
        if len(keys) == 1:
            await asyncio.sleep(3600)
        return "acted"

    return act, keys


def fail(monkeypatch: pytest.MonkeyPatch, actor: type[Actor[T]], message: type, times: int) -> list[int]:
    """Let the actor's handler of a message raise so many times; gives back a list that grows with each failure."""
    return _sabotage(monkeypatch, actor, message, times, hangs=False)


def hang(monkeypatch: pytest.MonkeyPatch, actor: type[Actor[T]], message: type, times: int) -> list[int]:
    """Let the actor's handler of a message hang so many times."""
    return _sabotage(monkeypatch, actor, message, times, hangs=True)


def _sabotage(
    monkeypatch: pytest.MonkeyPatch, actor: type[Actor[T]], message: type, times: int, *, hangs: bool
) -> list[int]:
    handler = actor.__choragus_table__[message]
    failed: list[int] = []

    async def sabotaged(self: object, received: object) -> object:
        if len(failed) < times:
            failed.append(1)
            try:
                if hangs:
                    await asyncio.sleep(3600)
            except GeneratorExit:  # in the turn of another nobody waits: it hangs in its own
                failed.pop()
                raise
            raise RuntimeError("sabotage")
        result = handler.function(self, received)
        return await result if handler.is_async else result  # type: ignore[misc]  # a coroutine when it is async

    broken = attrs.evolve(handler, function=sabotaged, is_async=True)
    monkeypatch.setitem(actor.__choragus_table__, message, broken)
    return failed
