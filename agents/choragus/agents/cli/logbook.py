"""`choragus show`: the logbook of one run, as a timeline or raw, once or as it grows."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

import anyio
import msgspec

from choragus.agents.inspection import RunSummary, approvals
from choragus.agents.plan.reading import run_plan
from choragus.agents.stream import run_stream
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, LogEntry

from .command import RUN, Commands, command
from .exit import Exit
from .plan import plan_json, plan_lines
from .refusing import refusals, told_whole
from .request import request
from .session import Session
from .text import block, chunks, counted, duration, moment, money, page, visible
from .timeline import HEADER, Timeline

PAGE = 1000
HEAD = 9
"""Columns of the names above the timeline."""

LOOK = 0.05
"""Seconds between two looks for what is new."""


def declare(commands: Commands) -> None:
    """`show`."""
    one = command(
        commands,
        "show",
        show,
        "The run's timeline: model calls with tokens, cost and time; tool calls with arguments, verdict,\n"
        "who decided, and result; failures, restarts, reopened files; the outcome. A run that follows a plan\n"
        "begins with it: each step, its state, and what went wrong. Long texts are cut; --json prints\n"
        "everything, one logbook entry to a line, and a plan behind them.",
        "choragus show runs.db 5f2c --follow\n  choragus show runs.db 5f2c --json | jq .kind",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("--json", action="store_true", help="the raw entries, as JSON lines")
    one.add_argument("-f", "--follow", action="store_true", help="go on printing until the run ends")


async def show(session: Session) -> Exit:
    """Print what the logbook of a run holds, and with `--follow` what it comes to hold until the run ends."""
    summary = await session.run(session.asked.run)
    raw: bool = session.asked.json
    timeline = Timeline(page())
    if not raw:
        plan = await run_plan(session.store, summary.run)
        shown = [] if plan is None else ["", *plan_lines(plan, page())]
        print("\n".join([*_head(summary), *shown, "", HEADER]))
    async for entries in _pieces(session, summary.run):
        told = timeline.lines(entries)
        for line in map(_raw, (entry for entry in entries if entry.stream != SYSTEM_STREAM)) if raw else told:
            print(line)
        sys.stdout.flush()
        if timeline.ended:
            return Exit.OK
    plan = await run_plan(session.store, summary.run) if raw else None
    if plan is not None:
        print(json.dumps({"kind": "plan", "data": plan_json(plan)}))
    if not raw:
        lines = timeline.unjudged(time.time())
        for one in await approvals(session.store, summary.run):
            lines += ["", *request(one, time.time())]
        refused = (await refusals(session.store)).get(summary.run)
        print("\n".join([*lines, *_foot(session, await session.run(summary.run)), *told_whole(session, refused)]))
    return Exit.OK


async def _pieces(session: Session, run: str) -> AsyncIterator[list[LogEntry]]:
    """What there is, and with `--follow` for ever what comes, as it is committed."""
    read: Counter[str] = Counter()
    yield await _news(session.store, run, read)
    while session.asked.follow:
        await anyio.sleep(LOOK)
        if await session.store.changed():
            yield await _news(session.store, run, read)


async def _news(store: Store, run: str, read: Counter[str]) -> list[LogEntry]:
    """What the streams of the run and of the file hold behind the positions in `read`, in commit order; moves them."""
    found: list[LogEntry] = []
    for stream in (run_stream(run), SYSTEM_STREAM):
        while entries := await store.read(stream, read[stream], PAGE):
            found += entries
            read[stream] = entries[-1].position
    return sorted(found, key=lambda entry: entry.seq)


def _raw(entry: LogEntry) -> str:
    fields = {"seq": entry.seq, "position": entry.position, "kind": entry.kind, "at": entry.at}
    return json.dumps({**fields, "data": msgspec.json.decode(entry.body)})


def _head(summary: RunSummary) -> list[str]:
    end = summary.ended or time.time()
    took = f"{'took' if summary.ended else 'so far'} {duration(end - summary.started)}"
    tokens = f"{summary.input_tokens} + {summary.output_tokens} tokens"
    used = f"{counted(summary.steps, 'step')}, {tokens}, {money(summary.cost_usd)}"
    if summary.questions:
        used += f", {counted(summary.questions, 'question')} to people"
    lines = {
        "run": f"{summary.run} of agent {summary.agent}" + (f", key {summary.key}" if summary.key else ""),
        "goal": summary.goal,
        "status": summary.status.value,
        "started": f"{moment(summary.started)}, {took}",
        "used": used,
    }
    if summary.plan:
        lines["at"] = summary.plan
    if summary.sources:
        lines["answer"] = "from " + ", ".join(summary.sources)
    room = page() - HEAD
    return [
        f"{name if number == 0 else '':<{HEAD}}{piece}"
        for name, text in lines.items()
        for number, piece in enumerate(chunks(visible(text), room))
    ]


def _foot(session: Session, summary: RunSummary) -> list[str]:
    lines = ["", f"{summary.status.value} at step {summary.step} ({summary.phase})"]
    if summary.waits:
        lines += [*block(summary.waits, page()), session.command("approvals")]
    return lines
