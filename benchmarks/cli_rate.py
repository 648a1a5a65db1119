"""How soon the command line says something of a file with 10,000 runs, beside an interpreter that has only imported."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import anyio
from benchmarks.figure import Section, cost, interleaved
from benchmarks.interpreter import Interpreter
from benchmarks.target import at_most

from choragus.mailbox.address import actor_id
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Entry, Turn, View

RUNS = 10_000
ENTRIES = 10_000
OPEN = 12
"""Runs that have not ended; two of them wait for a person."""

STEP = 1000
"""Rows in one transaction."""

LONG = f"{RUNS - 1:012x}"
"""The run with many entries."""

BARE = ("-c", "import sqlite3, argparse; print()")
COMMANDS = {
    "runs": ("runs", "FILE"),
    "show (10,000 entries)": ("show", "FILE", LONG),
    "approvals": ("approvals", "FILE"),
    "top --once": ("top", "FILE", "--once"),
    "tree": ("tree", "FILE", LONG),
}
NOTES = (
    f"other: python {' '.join(BARE)!r}",
    f"a file with {RUNS:,} runs, {OPEN} of them under way; the time to the first line on a pipe, processes in turns",
    "modules compiled beforehand; the process is ended after its first line",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 7 rounds, or 15, after one that does not count."""
    python = Interpreter(folder)
    file = folder / "ten-thousand.db"
    anyio.run(fill, file)
    asked = [("-m", "choragus", *(str(file) if one == "FILE" else one for one in argv)) for argv in COMMANDS.values()]
    sides = [partial(python.first_line, *argv) for argv in (BARE, *asked)]
    bare, *taken = ([one * 1e3 for one in times[1:]] for times in interleaved(*sides, rounds=8 if quick else 16))
    figures = [cost(name, "ms", ours, bare, target=at_most(3.0)) for name, ours in zip(COMMANDS, taken, strict=True)]
    return Section("Command line", "bare interpreter", figures, NOTES)


async def fill(path: Path) -> None:
    """Write the file: rows and entries as a runtime writes them, without the work."""
    store = await SqliteStore.open(path)
    await store.claim("bench", 1e12, 0.0)
    revision = 0
    for first in range(0, RUNS, STEP):
        views = tuple(view for number in range(first, first + STEP) for view in _views(number))
        lines = tuple(_line(f"{number:012x}", 1) for number in range(first, first + STEP) if number != RUNS - 1)
        await _commit(store, revision, lines, views)
        revision += 1
    for first in range(0, ENTRIES, STEP):
        await _commit(store, revision, tuple(_line(LONG, n + 1) for n in range(first, first + STEP)), ())
        revision += 1
    await store.close()


async def _commit(store: SqliteStore, revision: int, lines: tuple[Entry, ...], views: tuple[View, ...]) -> None:
    writer = actor_id("bench.writer", "1")
    turn = Turn(id=f"t{revision}", actor=writer, fence=1, revision=revision, entries=lines, views=views)
    done = await store.commit(Batch(node="bench", fence=1, at=1.0, turns=(turn,)))
    assert isinstance(done, Committed), done


def _views(number: int) -> list[View]:
    id = f"{number:012x}"
    is_open = number >= RUNS - OPEN
    asks = number in (RUNS - 2, RUNS - 3)
    row = {
        "run": id,
        "agent": f"agent-{number % 7}",
        "goal": f"Settle the account of customer {number}.",
        "key": id,
        "manifest": "0" * 64,
        "status": "waiting" if asks else "running" if is_open else "completed",
        "phase": "act" if is_open else "stop",
        "step": 3,
        "waits": ["2.1 pay: approval"] if asks else [],
        "outcome": "" if is_open else "It is settled. " * 8,
        "achieved": "",
        "degraded": False,
        "paused": "",
        "parent": "",
        "steps": 3,
        "input_tokens": 4000,
        "output_tokens": 300,
        "cost_usd": 0.0123,
        "started": 1e9 + number,
        "ended": 0.0 if is_open else 1e9 + number + 60.0,
        "questions": 0,
    }
    views = [
        View(kind="run", key=id, scope="", sort=1e9 + number, body=json.dumps(row, separators=(",", ":")).encode())
    ]
    if asks:
        asked = {
            "id": id[-8:],
            "run": id,
            "call": "2.1",
            "tool": "pay",
            "arguments": {"amount": "120.00"},
            "hash": "ab" * 32,
            "asked": 1e9 + number,
            "risk": "irreversible",
            "why": "irreversible: a person decides",
        }
        body = json.dumps(asked, separators=(",", ":")).encode()
        views.append(View(kind="approval", key=id[-8:], scope=id, sort=1e9 + number, body=body))
    return views


def _line(run: str, position: int) -> Entry:
    if position == 1:
        body = b'{"actor":"choragus.orchestrator","agent":"clerk","goal":"Settle the account.","key":"","manifest":""}'
        return Entry(f"run/{run}", "run.started", 1e9, body)
    used = b'"stop":"stop","input_tokens":150,"output_tokens":44,"cost_usd":0.0003'
    fields = b'"text":"Let me look at that.","calls":[],' + used
    body = b'{"actor":"choragus.orchestrator","step":%d,"agent":"clerk","started":1.0,"ended":2.0,%b}' % (
        position,
        fields,
    )
    return Entry(f"run/{run}", "model.replied", 1e9 + position, body)
