"""What `choragus run` does: start a run here, or have the owner of the file start it, and follow it to its end."""

from __future__ import annotations

import json
import shlex
import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import anyio

from choragus.agents.agent import Agent
from choragus.agents.inspection import RunSummary, find_summary
from choragus.agents.message import ORCHESTRATOR, StartRun
from choragus.agents.naming import run_id
from choragus.agents.runtime import Runtime
from choragus.agents.stream import run_stream
from choragus.agents.visit import Handled, SetAside, post
from choragus.mailbox.address import actor_id
from choragus.mailbox.errors import FileInUse
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store

from .app import unopened
from .ending import Ending, by_signal
from .exit import Exit, Refused
from .printer import Printer
from .text import page, visible

LOOK = 0.05
"""Seconds between two looks for what is new."""

PAGE = 500


async def start(asked: Namespace) -> Exit:
    """Start the run where the file is owned, and follow it."""
    with by_signal() as ending:
        async with AsyncExitStack() as stack:
            runtime = await unopened(asked.app, stack)
            agent = _agent(runtime, asked)
            try:
                if not runtime.is_open:
                    await stack.enter_async_context(runtime)
            except FileInUse as busy:
                _note(f"{busy}".partition(":")[0] + ": it is left the message")
                return await _posted(runtime, asked, ending)
            run = await runtime.start(agent, asked.text, key=asked.key)
            left = _left_here(runtime, asked, run.id)
            return await _followed(runtime.store, asked, run.id, runtime.place, ending, left)


async def _posted(runtime: Runtime, asked: Namespace, ending: Ending) -> Exit:
    """Have the process that owns the file start it."""
    store = await SqliteStore.open(runtime.place, visitor=True)
    try:
        id = run_id(asked.agent, asked.key)
        message = StartRun(
            agent=asked.agent, goal=asked.text, key=asked.key, manifest=runtime.identity(asked.agent).hash
        )
        fate = await post(store, actor_id(ORCHESTRATOR, id), message)
        if isinstance(fate, SetAside):
            raise Refused(f"the owner of {runtime.place} cannot start it: {fate.reason}")
        follow = shlex.join(["choragus", "show", runtime.place, id, "--follow"])
        left = f"run {id} goes on in the process that owns {runtime.place}: {follow}"
        if not isinstance(fate, Handled):
            _note(f"recorded: run {id} begins when its owner takes the message up")
        return await _followed(store, asked, id, runtime.place, ending, left)
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()


async def _followed(store: Store, asked: Namespace, id: str, place: str, ending: Ending, left: str) -> Exit:
    """Print what happens until the run ends, or somebody ends us."""
    if asked.detach:
        print(json.dumps({"run": id, "status": "started"}) if asked.json else id)
        _note(left)
        return Exit.OK
    _note(f"run {id}")
    async with anyio.create_task_group() as tasks:
        following: list[RunSummary] = []
        tasks.start_soon(_until, ending.event.wait, tasks.cancel_scope)
        following.append(await _follow(store, id, place, asked.json))
        tasks.cancel_scope.cancel()
    if not following:
        _note(left)
        return ending.code
    return _told(following[0], asked.json)


async def _until(happens: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
    await happens()
    scope.cancel()


async def _follow(store: Store, id: str, place: str, raw: bool) -> RunSummary:
    """Print each entry as it is committed; gives back how the run has ended."""
    printer = Printer(page(), "", raw)
    out, after = sys.stdout if raw else sys.stderr, 0
    while True:
        summary = await find_summary(store, id)
        is_over = summary is not None and summary.status.is_final
        while entries := await store.read(run_stream(id), after, PAGE):
            for entry in entries:
                after = entry.position
                printer.print(entry, out)
                if entry.kind == "approval.requested" and not raw:
                    _note(f"it waits for a person: {shlex.join(['choragus', 'approvals', place])}")
        out.flush()
        if summary is not None and is_over:
            return summary
        await anyio.sleep(LOOK)


def _told(summary: RunSummary, raw: bool) -> Exit:
    """Print the answer, or why there is none."""
    is_done = summary.status.value == "completed"
    if raw:
        end = {"run": summary.run, "status": summary.status.value, "outcome": summary.outcome}
        print(json.dumps({**end, "steps": summary.steps, "cost_usd": summary.cost_usd}))
    elif is_done:
        print("\n".join(map(visible, summary.outcome.splitlines())))
    else:
        _note(f"{summary.status.value}: {summary.outcome}")
    return Exit.OK if is_done else Exit.PROBLEMS


def _agent(runtime: Runtime, asked: Namespace) -> Agent[object]:
    if asked.agent not in runtime.agents:
        there = ", ".join(runtime.agents) or "none"
        raise Refused(f"{asked.app} has no agent {asked.agent!r}: its agents are {there}")
    return runtime.agents[asked.agent]


def _left_here(runtime: Runtime, asked: Namespace, id: str) -> str:
    """What becomes of a run whose process ends."""
    if runtime.place == "memory":
        return f"run {id} was kept in memory, and is gone: give the Runtime a path"
    serve = shlex.join(["choragus", "serve", "--app", asked.app])
    again = ", or by the same command again" if asked.key else ""
    return f"run {id} is on disk and goes on when {runtime.place} is next opened: `{serve}`{again}"


def _note(text: str) -> None:
    print(visible(text), file=sys.stderr, flush=True)
