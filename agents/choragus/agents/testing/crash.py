"""An agent that is crashed wherever it can be."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from attrs import evolve, frozen

from choragus.agents.agent import Agent
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext
from choragus.supervision.testing.everywhere import CrashSweep
from choragus.supervision.testing.everywhere import crash_everywhere as crash_scenario
from choragus.supervision.testing.ledger import Ledger

from .interruption import INTERRUPTIONS
from .rewiring import rewired

BY = "crash_everywhere"
"""Who approves and settles."""


def crash_everywhere(
    agent: Callable[[], Agent[object]],
    goal: str,
    *,
    resources: Callable[[], object] | None = None,
    sample: int | None = None,
    pairs: int = 0,
    seed: int = 0,
    timeout: float = 30.0,
) -> CrashSweep:
    """Run an agent undisturbed, then once for every point at which its process could die; kill it there, and compare.

    After each crash the file is opened again and the run goes on to its end. Its outcome, the calls that its tools made
    and its logbook must be as in the undisturbed run. Whatever waits for a person is approved, and a question answered
    with its first option. A call of unknown outcome is looked up, as a person would do: it is settled as happened, with
    what it gave back, or as not happened.

        async def test_the_clerk_survives_every_crash() -> None:
            await crash_everywhere(clerk, "Pay what is due.")

    It is `choragus.supervision.testing.crash_everywhere` with a scenario made of the agent; see `docs/testing.md` for
    the points, the report and how to replay one crash.

    Args:
        agent: a function at the top of a module that makes the agent, with a model that answers by the request alone: a
            ScriptedModel, a FunctionModel or a recording that is replayed. Each process calls it anew. Its tools may do
            what they like: each runs in a process that is killed.
        goal: what it is to do.
        resources: a function at the top of a module that makes the runtime's resources.
        sample: how many points are tried, some of each kind; None tries them all.
        pairs: how many times it is killed again in its recovery, at a random point, on top of that.
        seed: which points are sampled, and which pairs.
        timeout: seconds that one process may take.

    Raises:
        ValueError: when a number is below its least.
    """
    play = Play(func=agent, goal=goal, resources=resources)
    return crash_scenario(play, sample=sample, pairs=pairs, seed=seed, allowed=INTERRUPTIONS, timeout=timeout)


@frozen(kw_only=True)
class Play:
    """The scenario: one run to its end. As with a functools.partial, it is called and found by its `func`."""

    func: Callable[[], Agent[object]]
    goal: str
    resources: Callable[[], object] | None

    async def __call__(self, path: Path, ledger: Ledger) -> dict[str, str]:
        kept = _folder(path)
        made = self.func()
        agent = evolve(made, tools=[_noted(tool, ledger, kept) for tool in made.tools])
        resources = None if self.resources is None else self.resources()
        async with Runtime(path, agents=[agent], resources=resources) as runtime:
            run = await runtime.start(agent, self.goal, key=BY)
            async for _ in run.events():
                await _decide(run, kept)
            summary = await run.status()
        return {"status": summary.status.value, "outcome": summary.outcome}


async def _decide(run: Run[object], kept: Path) -> None:
    """What the person does: say yes, and look things up."""
    for approval in await run.pending():
        by = next((name for name in approval.approvers if name not in approval.given), BY)
        if approval.kind == "question":
            await approval.answer(next(iter(approval.options), "yes"), by=by)
        else:
            await run.approve(approval, by=by)
    for unknown in await run.unknown():
        result = _given(kept, unknown.idempotency_key)
        await run.settle(unknown, "not" if result is None else "happened", by=BY, result=result or "")


def _noted(tool: Tool, ledger: Ledger, kept: Path) -> Tool:
    """The tool, and a note of each call in the ledger: with its key where the same call may be made again."""

    async def around(tool: Tool, given: dict[str, object], context: ToolContext) -> object:
        text = tool.render(await tool.call(given, context))
        _keep(kept, context.idempotency_key, text)
        called = f"call {context.call}: {tool.name} {tool.render(given)}"
        ledger.note(called, key=context.idempotency_key if tool.repeatable else "")
        return msgspec.Raw(text.encode())

    return rewired(tool, around)


def _keep(kept: Path, key: str, text: str) -> None:
    """What a call gave back, before it is noted that it happened."""
    _place(kept, key).write_text(text, encoding="utf-8")


def _given(kept: Path, key: str) -> str | None:
    place = _place(kept, key)
    return place.read_text(encoding="utf-8") if place.exists() else None


def _place(kept: Path, key: str) -> Path:
    return kept / hashlib.sha256(key.encode()).hexdigest()[:32]


def _folder(path: Path) -> Path:
    kept = path.with_suffix(".results")
    kept.mkdir(exist_ok=True)
    return kept
