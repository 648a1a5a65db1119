"""How the host begins sub-runs, and holds, goes on with or ends all runs of a file."""

from __future__ import annotations

from typing import TypeVar

from choragus.mailbox.store import Store

from .control import PauseRun, ResumeRun, StartChild
from .desk import Desk
from .errors import AgentError, Held, LimitReached
from .inspection import find_run, runs, unfinished
from .ledger import LedgerSummary, ledgers
from .message import CancelRun, StartRun, Verdict
from .naming import run_id
from .output import Output
from .run import Run

T = TypeVar("T")


class Steering:
    """What a runtime does with all of its runs at once."""

    store: Store
    _desk: Desk

    async def ledgers(self) -> list[LedgerSummary]:
        """What is spent and set aside in each ledger, by name and time."""
        return await ledgers(self.store)

    async def pause(self, *, by: str = "host", reason: str = "") -> list[str]:
        """Pause every run that goes on, and start none until `resume`; gives back the ids of those that were paused.

        Each stays paused over a restart, after which new ones may start.
        """
        self._desk.paused = f"paused by {by}" + (f": {reason}" if reason else "")
        return await steer(self._desk, PauseRun(by=by, reason=reason, source="runtime"))

    async def resume(self, *, by: str = "host") -> list[str]:
        """Go on with the runs that `pause` has held, those of an earlier process too; gives back their ids."""
        self._desk.paused = ""
        return await steer(self._desk, ResumeRun(by=by, source="runtime"))

    async def cancel(self, *, by: str = "host", reason: str = "") -> list[str]:
        """End every run that goes on as cancelled; gives back their ids."""
        return await steer(self._desk, CancelRun(by=by, reason=reason))

    def _check_open(self) -> None:
        self._desk.check_open()


async def begin_child(desk: Desk, parent: str, asked: StartRun, output: Output[T] | None = None) -> Run[T]:
    """Begin a sub-run, with answers of that type: the parent enters it in its book and starts it, in one turn.

    Raises:
        UnknownRun: when there is no parent of that id.
        LimitReached: when no depth is left.
        AgentError: when the parent has ended.
    """
    await find_run(desk.store, parent, desk.place)
    id = run_id(asked.agent, f"{parent}/{asked.key}" if asked.key else "")
    begun = await desk.orchestrator(parent).ask(StartChild(run=id, start=asked))
    if isinstance(begun, Verdict):
        raise LimitReached(parent, begun.reason) if begun.limit else AgentError(begun.reason)
    await desk.orchestrator(id).ask(begun)  # the parent has sent it the same: this waits until it has begun
    return Run(id, desk, output)


async def steer(desk: Desk, message: PauseRun | ResumeRun | CancelRun) -> list[str]:
    """Send it to every run that goes on and is no sub-run, which hear of it from those above; who did as it says."""
    done: list[str] = []
    for summary in unfinished(await runs(desk.store)):
        if summary.parent:
            continue
        try:
            if await desk.orchestrator(summary.run).ask(message):
                done.append(summary.run)
        except Held:
            continue  # it does not go on in this runtime anyway
    return done
