"""How the host begins sub-runs, and holds, goes on with or ends all runs of a file."""

from __future__ import annotations

from typing import TypeVar

from choragus.mailbox.store import Store

from .control import PauseRun, ResumeRun, StartChild
from .desk import Desk
from .draining import closed
from .errors import AgentError, Held, LimitReached
from .inspection import find_run, runs, unfinished
from .ledger import LedgerSummary, ledgers
from .message import CancelRun, StartRun, Verdict
from .naming import run_id
from .output import Output
from .run import Run
from .state import Status

T = TypeVar("T")


class Steering:
    """What a runtime does with all of its runs at once."""

    store: Store
    _desk: Desk
    _is_open: bool

    @property
    def is_open(self) -> bool:
        """Whether it is: between `async with` and its end."""
        return self._is_open

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
        if not self.is_draining:
            self._desk.paused = ""
        return await steer(self._desk, ResumeRun(by=by, source="runtime"))

    async def drain(self, *, by: str = "host", reason: str = "") -> None:
        """Begin no run any more while this runtime is open, and return when none is running.

        What runs goes on to its end, or to where it waits for a person or is paused. `choragus drain FILE` asks for
        the same from outside; `until_drained` waits for that.
        """
        self._desk.drain(closed(by, reason))
        await self.until_drained()

    async def until_drained(self) -> None:
        """Wait until somebody drains this runtime, and then until no run is running."""
        await self._desk.draining.wait()
        with self._desk.news() as news:
            while True:
                news.clear()
                held = self._desk.held
                if not any(one.status is Status.RUNNING and one.run not in held for one in await runs(self.store)):
                    return
                await news.wait()

    @property
    def is_draining(self) -> bool:
        """Whether somebody has drained this runtime: it begins no run."""
        return self._desk.draining.is_set()

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
