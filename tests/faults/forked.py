"""A run that pays twice and its fork, told to the interposer's log step by step: for images of a power loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.scenarios.forking import payer

from choragus.agents import ApprovalRequested, Run, Runtime
from choragus.agents.inspection import RunSummary, runs, timeline
from choragus.mailbox.errors import ChoragusError
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.supervision.testing.ledger import Ledger

from .interposer import Interposer
from .verdict import Verdict

BEGUN, PAID, PAID_AGAIN, ENDED, FORKED, FORK_PAID, FORK_ENDED = range(1, 8)
"""What is acknowledged: what the host was told, and payments that happened in the world."""
PAYMENTS = (PAID, PAID_AGAIN, FORK_PAID)


def _intends(number: int) -> Callable[[list[str]], bool]:
    return lambda kinds: kinds.count("call.intended") >= number


def _has_ended(kinds: list[str]) -> bool:
    return "run.ended" in kinds


STEPS: tuple[dict[int, Callable[[list[str]], bool]], ...] = (
    {BEGUN: bool, PAID: _intends(2), PAID_AGAIN: _intends(3), ENDED: _has_ended},  # before it pays it looks
    {FORKED: bool, FORK_PAID: _intends(1), FORK_ENDED: _has_ended},
)
"""By what a run's logbook, and that of its fork, show each."""


class Telling(Ledger):
    """A world whose payments are written into the interposer's log."""

    def note(self, what: str, *, key: str = "") -> bool:
        """One payment."""
        counts = super().note(what, key=key)
        Interposer().ack(PAYMENTS[len(self.changes()) - 1])
        return counts


async def forked(path: Path, ledger: Ledger) -> list[str]:
    """The run, and its fork from before the second payment; a person approves each."""
    interposer, agent = Interposer(), payer(Telling(path.with_name("payments")))
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="run")
        interposer.ack(BEGUN)
        results = [await _finish(run)]
        interposer.ack(ENDED)
        at = [event.position async for event in run.past() if isinstance(event, ApprovalRequested)][1]
        fork = await runtime.fork(run.id, at=at, key="fork")
        interposer.ack(FORKED)
        results.append(await _finish(fork))
        interposer.ack(FORK_ENDED)
        return results


async def _finish(run: Run) -> str:
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
    return await run.result()


async def look(path: Path, acknowledged: int) -> Verdict:
    """Open a file as its next owner would: what was told is there, no payment without its intent."""
    try:
        store = await SqliteStore.open(path)
        try:
            await store.claim("judge", 30.0, time.time())
            verified = await store.verify()
            found = await runs(store)
            reached = [
                step for one, steps in zip(found, STEPS, strict=False) for step in await _reached(store, one, steps)
            ]
        finally:
            await store.close()
    except ChoragusError as error:
        return Verdict(problem=f"{type(error).__name__}: {error}")
    problems = list(verified.problems)
    if verified.forks != max(0, len(found) - 1):
        problems.append(f"{verified.forks} forks are cited, and there are {len(found)} runs")
    lost = sum(step not in reached for step in range(BEGUN, acknowledged + 1))
    return Verdict(lost=lost, problem="; ".join(problems))


async def _reached(store: Store, run: RunSummary, steps: dict[int, Callable[[list[str]], bool]]) -> list[int]:
    """How far a run has come: the steps that its logbook shows."""
    kinds = [event.kind async for event in timeline(store, run.run)]
    return [step for step, is_reached in steps.items() if is_reached(kinds)]
