"""How the host begins sub-runs, and holds, goes on with or ends all runs of a file."""

from __future__ import annotations

from .control import PauseRun, ResumeRun, StartChild
from .desk import Desk
from .errors import AgentError, Held, LimitReached
from .inspection import find_run, runs, unfinished
from .message import CancelRun, StartRun, Verdict
from .naming import run_id
from .run import Run


async def begin_child(desk: Desk, parent: str, asked: StartRun) -> Run:
    """Begin a sub-run: the parent enters it in its book and starts it, in one turn.

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
    return Run(id, desk)


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
