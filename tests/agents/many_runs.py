"""A file with many runs, made quickly: what one real run has left, again and again under other names and times."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from choragus.agents.agent import Agent
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.model import ModelReply, Price
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.mailbox.address import actor_id
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry, LogEntry, Turn, View

from .play import Ledger, call, tools

AGENTS = ("clerk", "reader", "writer")
BEGIN = 1_790_000_000.0
"""When the first of them ended, seconds since the epoch; each further one a minute later."""


@attrs.frozen
class Pattern:
    """What a run has left."""

    run: str
    row: dict[str, object]
    entries: tuple[LogEntry, ...]


async def pattern() -> Pattern:
    """A run with two calls, one of which a person has approved."""
    price = Price(input_per_million=1.0, output_per_million=4.0)
    script: list[Answer | Exception] = [
        ModelReply(calls=(call("look", at="x"),)),
        ModelReply(calls=(call("pay", amount=3),)),
        "It is paid.",
    ]
    store, agent = MemoryStore(), Agent("clerk", model=ScriptedModel(script, price=price), tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay what is due this week, and say so.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                await event.approval.approve(by="mia")
        view = await store.view("run", run.id)
        entries = await store.read(f"run/{run.id}", 0, 1000)
        assert view is not None
        return Pattern(run.id, json.loads(view.body or b"{}"), tuple(entries))


async def fill(path: Path, count: int) -> None:
    """Make a file with so many runs: of three agents and two tenants, every seventh failed, every eleventh goes on."""
    one = await pattern()
    store = await SqliteStore.open(path)
    try:
        await store.claim("maker", 1e12, 0.0)
        for number, first in enumerate(range(0, count, 100)):
            await store.commit(_batch(one, number, range(first, min(first + 100, count))))
    finally:
        await store.close()


def name(number: int) -> str:
    """The id of a run."""
    return f"{number:012x}"


def _batch(one: Pattern, number: int, runs: range) -> Batch:
    turn = Turn(
        id=f"t{number}",
        actor=actor_id("bank.account", "maker"),
        fence=1,
        revision=number,
        entries=tuple(entry for run in runs for entry in _entries(one, run)),
        views=tuple(_view(one, run) for run in runs),
    )
    return Batch(node="maker", fence=1, at=BEGIN, turns=(turn,))


def _entries(one: Pattern, number: int) -> list[Entry]:
    run, away = name(number), BEGIN + 60.0 * number - one.entries[-1].at
    return [
        Entry(f"run/{run}", entry.kind, entry.at + away, entry.body.replace(one.run.encode(), run.encode()))
        for entry in one.entries
    ]


def _view(one: Pattern, number: int) -> View:
    ended = BEGIN + 60.0 * number
    status = "waiting" if number % 11 == 10 else "failed" if number % 7 == 6 else "completed"
    started = ended - 1.0 - number % 13
    row = {
        **one.row,
        "run": name(number),
        "agent": AGENTS[number % 3],
        "tenant": ("acme", "")[number % 2],
        "status": status,
        "started": started,
        "ended": 0.0 if status == "waiting" else ended,
    }
    return View(kind="run", key=name(number), sort=started, body=json.dumps(row).encode())
