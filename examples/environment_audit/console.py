"""What a person sees of the audit, and is asked."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from choragus.agents import (
    AgentError,
    Approval,
    ApprovalRequested,
    Outcome,
    Run,
    RunEvent,
    RunSummary,
    Unknown,
)

WAITS_FOR_APPROVAL = 3
OUTCOME_UNKNOWN = 4

SETTLE = {"h": "happened", "n": "not", "g": "give_up"}


class Console:
    """Follows one run on the terminal."""

    def __init__(self, run: Run, database: Path, out: Path, *, yes: bool) -> None:
        self._run = run
        self._database = database
        self._out = out
        self._yes = yes
        self._calls: dict[object, str] = {}

    async def already(self, summary: RunSummary) -> int:
        """The audit was over before: say so, and start nothing."""
        say(f"this audit ended before ({summary.status.value}); nothing was started")
        say("for a new one give another --out folder, or move audit.db away")
        return await self._finish()

    async def follow(self, known: RunSummary | None) -> int:
        """Print what happens until the run ends or needs a person who is not here."""
        if known is None:
            say(f"run {self._run.id}: begun")
        else:
            say(f"run {self._run.id}: going on at step {known.step}, {known.phase}")
        asked = await self._ask_what_waits()
        if asked is not None:
            return asked
        async for event in self._run.events(after=await self._length() if known else 0):
            self._show(event)
            code = await self._answer(event)
            if code is not None:
                return code
        return await self._finish()

    async def _length(self) -> int:
        """How much of the logbook was there before; what a call is about is taken from it all the same."""
        position = 0
        async for event in self._run.past():
            position = event.position
            self._note(event)
        return position

    async def _ask_what_waits(self) -> int | None:
        for unknown in await self._run.unknown():
            return await self._settle(unknown)
        for approval in await self._run.pending():
            return await self._approve(approval)
        return None

    async def _answer(self, event: RunEvent) -> int | None:
        if isinstance(event, ApprovalRequested):
            return await self._approve(event.approval)
        if event.kind == "call.unknown":
            for unknown in await self._run.unknown():
                return await self._settle(unknown)
        return None

    async def _approve(self, approval: Approval) -> int | None:
        say(f"\n{approval.tool} cannot be undone. It would run with exactly:")
        for name, value in approval.arguments.items():
            say(f"  {name} = {value!r}")
        if self._yes:
            await self._run.approve(approval, by="--yes")
            say("approved by --yes")
        elif not sys.stdin.isatty():
            say("it waits for a person. Decide with")
            say(f"  choragus approve {self._database} {approval.id}")
            say("and run the same command again")
            return WAITS_FOR_APPROVAL
        else:
            say(f"(or in another terminal: choragus approve {self._database} {approval.id})")
            await self._decide(approval)
        return None

    async def _decide(self, approval: Approval) -> None:
        asking = asyncio.ensure_future(ask("file it? [y/n] ", "yn"))
        elsewhere = asyncio.ensure_future(self._decided_elsewhere(approval))
        done, waiting = await asyncio.wait({asking, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if elsewhere in done:
            say("decided in another terminal")
            return
        try:
            if asking.result() == "y":
                await self._run.approve(approval, by="terminal")
            else:
                await self._run.deny(approval, by="terminal")
        except AgentError as error:
            say(f"too late: {error}")

    async def _decided_elsewhere(self, approval: Approval) -> None:
        async for event in self._run.events(after=await self._last()):
            if event.kind in ("approval.decided", "run.ended") and approval not in await self._run.pending():
                return

    async def _last(self) -> int:
        return max([event.position async for event in self._run.past()], default=0)

    async def _settle(self, unknown: Unknown) -> int | None:
        archive = self._out / "audit-archive"
        say(f"\nnobody knows whether {unknown.tool} was carried out: {unknown.reason}.")
        for name, value in unknown.arguments.items():
            say(f"  {name} = {value!r}")
        say(f"look into {archive} and then say")
        for option in ("--happened", "--not", "--give-up"):
            say(f"  choragus settle {self._database} {unknown.run} {unknown.call} {option}")
        if not sys.stdin.isatty():
            say("and run the same command again")
            return OUTCOME_UNKNOWN
        answer = await ask("or here: [h]appened, [n]ot, [g]ive up? ", "hng")
        await self._run.settle(unknown.call, SETTLE[answer], by="terminal")
        return None

    def _note(self, event: RunEvent) -> None:
        if event.kind == "call.requested":
            arguments = event.data["arguments"]
            subject = arguments.get("distribution", "") if isinstance(arguments, Mapping) else ""
            self._calls[event.data["call"]] = f"{event.data['tool']} {subject}".strip()

    def _show(self, event: RunEvent) -> None:
        self._note(event)
        data = event.data
        if event.kind == "call.finished":
            mark = "FAILED" if data["is_error"] else "ok"
            say(f"  step {data['call']:<7} {self._calls.get(data['call'], data['tool'])}: {mark}")
        elif event.kind in ("model.failed", "actor.failed", "message.parked"):
            say(f"  {event.kind}: {data['reason']}")

    async def _finish(self) -> int:
        summary = await self._run.status()
        say()
        try:
            say(await self._run.result())
            code = 0
        except Outcome as error:
            say(str(error))
            code = 1
        seconds = summary.ended - summary.started
        say(
            f"{summary.steps} steps, {summary.tokens} tokens, {summary.cost_usd:.4f} USD (the offline model's price), "
            f"{seconds:.1f} s from {time.strftime('%H:%M:%S', time.localtime(summary.started))}"
        )
        report = self._out / "audit-report.md"
        if report.exists():
            say(f"report: {report}")
        say(f"timeline: choragus show {self._database} {summary.run}")
        return code


def say(text: str = "") -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


async def ask(question: str, choices: str) -> str:
    """One of the letters, typed at the terminal; asks until it is one. Cancelling it leaves the terminal alone."""
    while True:
        print(question, end="", flush=True)
        answer = (await _line()).strip().lower()[:1]
        if answer and answer in choices:
            return answer


async def _line() -> str:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sys.stdin.fileno())
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line
