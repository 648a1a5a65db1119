"""Files to look at: rows put into them as the store would, and a small office that leaves something of everything."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import attrs

import planned_run
from choragus.agents.agent import Agent
from choragus.agents.approver import Approvals
from choragus.agents.errors import Outcome
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, Price, ToolCall
from choragus.agents.question import ask_person
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.tool import tool
from choragus.mailbox.reader import digest
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Entry

DAY = 86_400.0

PRICE = Price(input_per_million=2.5, output_per_million=10.0)

WORK = (
    ("Reconcile the bank statement of {day} with the ledger.", "Two lines were open; both are matched now."),
    ("Remind customers whose invoices are overdue since {day}.", "Three reminders were sent."),
    ("Summarise what support heard on {day}.", "Mostly questions about the new tariff."),
    ("Check that every receipt of {day} has a project.", "All 41 receipts have one."),
    ("Draft the answer to the auditor's letter of {day}.", "The draft is in the folder, for you to read."),
    ("Find a cheaper train to Bergen on {day}.", "The 9:25 is 210 kroner cheaper."),
)


@attrs.frozen(kw_only=True)
class Row:
    """A view as it stands in a file."""

    kind: str
    key: str
    sort: float
    body: Mapping[str, object]
    scope: str = ""


def put(path: Path | str, rows: Iterable[Row]) -> None:
    """Write views into a file that nobody has open, digests and all."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for one in rows:
            body = json.dumps(one.body, separators=(",", ":")).encode()
            sealed = (one.kind, one.key, one.scope, one.sort, body)
            connection.execute("INSERT OR REPLACE INTO view VALUES (?, ?, ?, ?, ?, ?)", (*sealed, digest(*sealed)))
        connection.commit()


def run_row(number: int, **fields: object) -> Row:
    """A run as its row in lists has it; the higher the number the newer."""
    started = 1_795_000_000.0 + number
    key = f"{number:012x}"
    told: dict[str, object] = {
        "run": key,
        "agent": f"agent-{number % 7}",
        "tenant": f"tenant-{number % 3}",
        "goal": f"Pay invoice number {number}.",
        "key": str(number),
        "manifest": "0" * 64,
        "status": ("completed", "failed", "running")[number % 3],
        "waits": [],
        "outcome": "done",
        "steps": 3,
        "input_tokens": 900,
        "output_tokens": 100,
        "cost_usd": 0.0123,
        "started": started,
        "ended": started + 5.0,
        "parent": "",
    }
    return Row(kind="run", key=key, sort=started, body={**told, **fields})


def evaluation_row(number: int, ended: float, completed: int, cases: int, **fields: object) -> Row:
    """A stored evaluation, with figures as they are computed."""
    share, half = completed / cases, 0.9 / cases**0.5 * 0.5
    rate = {"k": completed, "n": cases, "value": share, "low": max(0.0, share - half), "high": min(1.0, share + half)}
    wrong = cases - completed
    errors = {"k": wrong, "n": cases, "value": wrong / cases, "low": 0.0, "high": min(1.0, wrong / cases + half)}
    asked = {"k": 2, "n": cases, "value": 2 / cases, "low": 0.0, "high": 0.2}
    cost = {"n": cases, "total": 0.01 * cases, "value": 0.012 - 0.0007 * number, "low": 0.009 - 0.0007 * number}
    cost["high"] = 0.015 - 0.0007 * number
    middle = {"value": 9.0 - 0.4 * number, "low": 7.5 - 0.4 * number, "high": 11.0 - 0.4 * number}
    figures = {"runs": cases, "completion": rate, "errors": errors, "escalation": asked, "cost": cost}
    told: dict[str, object] = {
        "id": f"e{number:03d}",
        "dataset": "invoices.jsonl",
        "agent": "clerk",
        "manifest": f"{number:064x}",
        "cases": cases,
        "repeats": 1,
        "started": ended - 60,
        "ended": ended,
        "passed": completed * 10 >= cases * 8,
        "figures": {**figures, "cost_per_completed": 0.014, "seconds": {"n": completed, "median": middle}},
    }
    return Row(kind="evaluation", key=f"e{number:03d}", sort=ended, body={**told, **fields})


async def write(path: Path, stream: str, count: int) -> None:
    """Put so many entries into a stream of a file that nobody has open."""
    store = await SqliteStore.open(path)
    claim = await store.claim("writer", 60.0, 0.0)
    entries = tuple(Entry(stream, "note.made", 1_795_000_000.0 + n, b'{"text":"x"}') for n in range(count))
    await store.commit(Batch(node="writer", fence=claim.fence, at=1.0, entries=entries))
    await store.release("writer")
    await store.close()


class Office:
    """Agents that work offline, and take a little time over it."""

    def __init__(self, seed: int = 7) -> None:
        self._random = random.Random(seed)

    async def _think(self, most: float) -> None:
        await asyncio.sleep(self._random.uniform(0.3, 1.0) * most)

    def clerk(self) -> Agent:
        """Looks up invoices, and asks before it pays one."""

        @tool(risk="read")
        async def list_invoices(week: str) -> list[str]:
            """What is due."""
            await self._think(0.3)
            return ["A-17", "A-18"]

        @tool(risk="read")
        async def balance(account: str) -> str:
            """What is on an account."""
            await self._think(0.4)
            return "4 310.00"

        @tool(risk="irreversible")
        async def pay(invoice: str, amount: str, note: str = "") -> str:
            """Pay one invoice."""
            await self._think(0.4)
            return f"paid {amount} for {invoice}"

        async def model(request: ModelRequest) -> ModelReply | str:
            await self._think(0.6)
            said = sum(message.role == "assistant" for message in request.messages)
            look = ToolCall("a", "list_invoices", {"week": "2026-W47"}), ToolCall("b", "balance", {"account": "main"})
            paid: dict[str, object] = {
                "invoice": "A-17",
                "amount": "150.00",
                "note": "Rent of November.\nAs agreed with the landlord.",
            }
            if said == 0:
                return ModelReply("Let me see what is due.", calls=look)
            if said == 1:
                return ModelReply("A-17 is due today, and the account covers it.", calls=(ToolCall("c", "pay", paid),))
            return "A-17 is paid. A-18 is due next week."

        chain = Approvals(within=4 * 3600, default="escalate", chain=["mia", ("boss", "cfo")])
        return Agent(
            "clerk",
            model=FunctionModel(model, price=PRICE),
            tools=[list_invoices, balance, pay],
            approvals=chain,
            limits=Limits(cost_usd=2.0),
        )

    def planner(self) -> Agent:
        """Asks a person which week is meant."""

        async def model(request: ModelRequest) -> ModelReply | str:
            await self._think(0.2)
            options = ["this week", "next week", "not before December"]
            if len(request.messages) == 1:
                asked: dict[str, object] = {
                    "question": "The venue has two free weeks. Which one do you want?",
                    "options": options,
                }
                return ModelReply(calls=(ToolCall("a", "ask_person", asked),))
            return f"Booked for {request.messages[-1].text}."

        return Agent("planner", model=FunctionModel(model, price=PRICE), tools=[ask_person])

    def assistant(self) -> Agent:
        """Does small things, and sometimes fails."""

        async def model(request: ModelRequest) -> str:
            await asyncio.sleep(0.002)
            goal = request.messages[0].text
            if "receipt" in goal and self._random.random() < 0.4:
                raise RuntimeError("the provider does not answer")
            return next(answer for asked, answer in WORK if asked[:9] == goal[:9])

        return Agent("assistant", model=FunctionModel(model, price=PRICE))


async def until_asked(run: Run) -> None:
    """Wait until the run waits for a person."""
    while not await run.pending():  # noqa: ASYNC110  # a script, not a test
        await asyncio.sleep(0.02)


async def ago(path: Path, days: int, agents: list[Agent]) -> None:
    """What was done so many days ago."""
    then, began = time.time() - days * DAY, time.time()
    async with Runtime(path, agents=agents, clock=lambda: then + time.time() - began) as runtime:
        for number, (goal, _) in enumerate(WORK[days % 3 :][:3]):
            day = time.strftime("%d %B", time.localtime(then - number * DAY))
            run = await runtime.start(agents[-1], goal.format(day=day))
            with contextlib.suppress(Outcome):
                await run.result()


async def fill(path: Path) -> dict[str, str]:
    """A file with something of everything; gives the ids of some of its runs."""
    office = Office()
    clerk, planner, assistant = office.clerk(), office.planner(), office.assistant()
    for days in range(2, 0, -1):
        await ago(path, days, [clerk, planner, assistant])
    archivist = Agent("archivist", model=FunctionModel(lambda request: "11.6, as of yesterday"))
    writer = Agent(
        "writer",
        model=FunctionModel(planned_run.writer, price=PRICE),
        tools=[planned_run.sales, planned_run.rate],
        planning=planned_run.PLANNING,
    )
    async with Runtime(path, agents=[clerk, planner, assistant, writer, archivist]) as runtime:
        report = await runtime.start(writer, "Report what we sold in Bergen and Oslo, in kroner and in euros.")
        await report.result()
        paid = await runtime.start(clerk, "Pay what is due this week, and say what is left.", key="2026-W46")
        await until_asked(paid)
        await asyncio.sleep(0.8)
        (approval,) = await paid.pending()
        await paid.approve(approval, by="mia", arguments={"amount": "120.00"}, reason="30.00 was credited")
        await paid.result()
        waiting = await runtime.start(clerk, "Pay the rent, and tell me what is due next week.", key="2026-W47")
        asking = await runtime.start(planner, "Book a room for the meeting of the board.")
        await until_asked(waiting)
        await until_asked(asking)
        named = {"report": report.id, "paid": paid.id, "waiting": waiting.id}
    now = time.time()
    shares = (15, 16, 14, 17, 18, 18, 19)
    put(path, [evaluation_row(n, now - (7 - n) * DAY, done, 20) for n, done in enumerate(shares)])
    return named
