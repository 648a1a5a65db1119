"""What a person sees of the audit, and is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from choragus.agents import (
    AgentError,
    Approval,
    ApprovalRequested,
    Outcome,
    Run,
    RunEvent,
    RunSummary,
    Runtime,
    Unknown,
)
from choragus.mailbox.address import key_of

from .terminal import ask, can_ask, command, nobody_here, plain, say, show

WAITS_FOR_APPROVAL = 3
OUTCOME_UNKNOWN = 4

SETTLE = {"h": "happened", "n": "not", "g": "give_up"}
SHOWN = 160  # characters of a result that failed


class Console:
    """Follows one run on the terminal."""

    def __init__(self, runtime: Runtime, run: Run, out: Path, *, yes: bool) -> None:
        self._runtime = runtime
        self._run = run
        self._database = Path(runtime.place)
        self._out = out
        self._yes = yes
        self._calls: dict[object, str] = {}

    async def already(self, summary: RunSummary) -> int:
        """The audit was over before: say so, and start nothing."""
        ended = time.strftime("%Y-%m-%d %H:%M", time.localtime(summary.ended))
        say(f"this audit ended before, on {ended} ({summary.status.value}); nothing was started")
        say("for a new one give another --out folder, or move audit.db away")
        return await self._finish()

    async def follow(self, known: RunSummary | None) -> int:
        """Print what happens until the run ends or needs a person who is not here."""
        if known is None:
            say(f"run {self._run.id}: begun")
        else:
            say(f"run {self._run.id}: going on at step {known.step}, {known.phase}")
        # The logbook's end is looked up before what waits: what begins to wait in between is seen twice, not never.
        after = await self._length() if known else 0
        code = await self._ask_what_waits()
        if code is not None:
            return code
        async for event in self._run.events(after=after):
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
            code = await self._settle(unknown)
            if code is not None:
                return code
        for approval in await self._run.pending():
            code = await self._approve(approval)
            if code is not None:
                return code
        return None

    async def _answer(self, event: RunEvent) -> int | None:
        if isinstance(event, ApprovalRequested) or event.kind == "call.unknown":
            return await self._ask_what_waits()
        return None

    async def _approve(self, approval: Approval) -> int | None:
        async def waits() -> bool:
            return approval.id in [one.id for one in await self._run.pending()]

        if not (self._yes or can_ask() or await self._waits_still(waits)):
            return None
        say(f"\n{approval.tool} cannot be undone. It would run with exactly:")
        show(approval.arguments)
        approve = command("approve", self._database, approval.id)
        if self._yes:
            say("approved by --yes")
            await self._decided(self._run.approve(approval, by="--yes"))
            return None
        if not can_ask():
            return nobody_here("it waits for a person; decide with", [approve], WAITS_FOR_APPROVAL)
        say(f"(or in another terminal: {approve})")
        answer = await self._ask("file it? [y/n] ", "yn", waits)
        if answer is None:
            return nobody_here("\nit waits for a person; decide with", [approve], WAITS_FOR_APPROVAL)
        if answer:
            decide = self._run.approve if answer == "y" else self._run.deny
            await self._decided(decide(approval, by="terminal"))
        return None

    async def _settle(self, unknown: Unknown) -> int | None:
        async def waits() -> bool:
            return unknown.call in [one.call for one in await self._run.unknown()]

        if not (can_ask() or await self._waits_still(waits)):
            return None
        say(f"\nnobody knows whether {unknown.tool} was carried out: {unknown.reason}. It was to run with:")
        show(unknown.arguments)
        options = ("--happened", "--not", "--give-up")
        commands = [command("settle", self._database, unknown.run, unknown.call, option) for option in options]
        look = f"look into {self._out / 'audit-archive'} and then say"
        if not can_ask():
            return nobody_here(look, commands, OUTCOME_UNKNOWN)
        say("\n  ".join([look, *commands]))
        answer = await self._ask("or here: [h]appened, [n]ot, [g]ive up? ", "hng", waits)
        if answer is None:
            return nobody_here("", [], OUTCOME_UNKNOWN)
        if answer:
            await self._decided(self._run.settle(unknown.call, SETTLE[answer], by="terminal"))
        return None

    async def _decided(self, decision: Awaitable[None]) -> None:
        try:
            await decision
        except AgentError as error:
            say(f"too late: {plain(str(error))}")

    async def _waits_still(self, waits: Callable[[], Awaitable[bool]]) -> bool:
        """Whether it waits when all mail of the run is handled: a decision made meanwhile may be among it."""
        end = time.monotonic() + 5.0
        while time.monotonic() < end:
            mail = await self._runtime.store.waiting(time.time())
            if self._run.id not in map(key_of, mail):
                break
            await asyncio.sleep(0.02)
        return await waits()

    async def _ask(self, question: str, choices: str, waits: Callable[[], Awaitable[bool]]) -> str | None:
        """The letter that was typed; "" when it was decided elsewhere meanwhile, None when the terminal is closed."""
        asking = asyncio.ensure_future(ask(question, choices))
        elsewhere = asyncio.ensure_future(self._decided_elsewhere(waits))
        try:
            await asyncio.wait({asking, elsewhere}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asking.cancel()
            elsewhere.cancel()
        if not elsewhere.done():
            return asking.result()
        elsewhere.result()
        say("\ndecided in another terminal")
        return ""

    async def _decided_elsewhere(self, waits: Callable[[], Awaitable[bool]]) -> None:
        after = await self._length()
        if await waits():
            async for _ in self._run.events(after=after):
                if not await waits():
                    return

    def _note(self, event: RunEvent) -> None:
        if event.kind == "call.requested":
            arguments = event.data["arguments"]
            subject = arguments.get("distribution", "") if isinstance(arguments, Mapping) else ""
            self._calls[event.data["call"]] = plain(f"{event.data['tool']} {subject}".strip())

    def _show(self, event: RunEvent) -> None:
        self._note(event)
        data = event.data
        if event.kind == "call.finished":
            text = plain(str(data["text"]))[:SHOWN]
            mark = "ok" if not data["is_error"] else text if text.startswith("denied") else f"FAILED: {text}"
            say(f"  step {data['call']:<7} {self._calls.get(data['call'], data['tool'])}: {mark}")
        elif event.kind in ("model.failed", "actor.failed", "message.parked"):
            say(f"  {event.kind}: {plain(str(data['reason']))}")

    async def _finish(self) -> int:
        summary = await self._run.status()
        say()
        try:
            say(plain(await self._run.result()))
            code = 0
        except Outcome as error:
            say(plain(str(error)))
            code = 1
        seconds = summary.ended - summary.started
        say(
            f"{summary.steps} steps, {summary.tokens} tokens, {summary.cost_usd:.4f} USD (the offline model's price), "
            f"{seconds:.1f} s, started {time.strftime('%H:%M:%S', time.localtime(summary.started))}"
        )
        report = self._out / "audit-report.md"
        if report.exists():
            say(f"report: {report}")
        say(f"timeline: {command('show', self._database, summary.run)}")
        return code
